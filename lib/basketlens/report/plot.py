"""A scatter plot as plain numbers for an inline SVG: axes, ticks and points."""

import math
from collections.abc import Sequence
from typing import NamedTuple

_LOG_SPAN = 5.0  # a range wider than this factor reads better on a log scale


class Tick(NamedTuple):
    """A labelled place on an axis, in pixels."""

    at: float
    label: str


class Axis(NamedTuple):
    """A mapping of values to pixels."""

    low: float
    high: float
    start: float  # pixel of `low`
    end: float  # pixel of `high`
    is_log: bool

    def place(self, value: float) -> float:
        """The pixel of a value, to a tenth."""
        low, high, at = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self) -> list[Tick]:
        """Round values inside the axis, with labels that differ."""
        values = _log_ticks(self.low, self.high) if self.is_log else _linear_ticks(self.low, self.high)
        return [Tick(self.place(value), label(value)) for value in values]


def axis(
    values: Sequence[float], *, start: float, end: float, include: float, is_log: bool | None = None
) -> Axis:
    """An axis that holds all values and `include`, with a little air.

    Args:
        values: at least one; above 0 where the scale is logarithmic.
        start: pixel of the low end.
        end: pixel of the high end.
        include: a reference value that must be on the axis.
        is_log: None = logarithmic when all values are above 0 and span more than a factor of 5.
    """
    low, high = min(*values, include), max(*values, include)
    log = is_log if is_log is not None else low > 0 and high / low > _LOG_SPAN
    if log:
        air = max((high / low) ** 0.04, 1.25)
        return Axis(low / air, high * air, start, end, True)
    air = max((high - low) * 0.04, max(abs(low), abs(high)) * 1e-3)  # labels have six digits
    return Axis(low - air, high + air, start, end, False)


def label(value: float) -> str:
    """A tick's text: 0.02, 1.05, 30, 2,000."""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"  # noqa: PLR2004 - six digits


def _linear_ticks(low: float, high: float, wanted: int = 8) -> list[float]:
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float, most: int = 10) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [f * 10.0**p for p in powers for f in factors if low <= f * 10.0**p <= high]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]
