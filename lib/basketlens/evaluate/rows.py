"""Rows of the table `evaluation`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from basketlens.evaluate.bootstrap import estimate
from basketlens.evaluate.calibration import Reliability
from basketlens.evaluate.measures import ALL, MAIN, Sums

CHOSEN: Final = "chosen"  # class of the rows that tell a method's parameters
MINUS: Final = " minus "  # stands between two methods that were compared


class Row(NamedTuple):
    """One figure; the columns of the table in their order, `of_class` being `class`."""

    method: str
    task: str  # baskets.validation, baskets.test, pairs.validation, pairs.test, calibration.test
    metric: str  # or the name of a parameter
    of_class: str  # of the target; or `chosen`; or bin_01 ... bin_10
    seed: int
    value: float
    low: float | None  # 95 % interval over queries; None where there is none
    high: float | None


def figure_rows(task: str, by_method: Mapping[str, Sums], *, resamples: int, seed: int) -> Iterator[Row]:
    """All figures of all methods with their intervals; figures of classes without targets are left out."""
    for method, sums in by_method.items():
        found = estimate(sums.numerator, sums.denominator, resamples=resamples, seed=seed)
        for (metric, of_class), value, low, high in zip(sums.names, *found, strict=True):
            if np.isfinite(value):
                yield Row(method, task, metric, of_class, seed, float(value), float(low), float(high))


def chosen_rows(task: str, parameters: Mapping[str, Mapping[str, float]], *, seed: int) -> Iterator[Row]:
    """The parameters of each method that were chosen on validation."""
    for method, chosen in parameters.items():
        for name, value in chosen.items():
            yield Row(method, task, name, CHOSEN, seed, value, None, None)


def difference_rows(
    name: str,
    on_validation: Mapping[str, Sums],
    on_test: Mapping[str, Sums],
    compared: Sequence[tuple[str, str]],
    *,
    resamples: int,
    seed: int,
) -> Iterator[Row]:
    """Paired differences of the main figure on test: those asked for, and the winner on validation minus the next."""
    metric = MAIN[name]

    def on_average(method: str) -> float:
        found, wanted = on_validation[method].of(metric)
        return float(found.sum() / wanted.sum())

    first, second = sorted(on_validation, key=lambda method: (-on_average(method), method))[:2]
    for a, b in dict.fromkeys([*compared, (first, second)]):
        (of_a, wanted), (of_b, _) = on_test[a].of(metric), on_test[b].of(metric)
        found = estimate(of_a - of_b, wanted, resamples=resamples, seed=seed)
        numbers = (float(field[0]) for field in found)
        yield Row(f"{a}{MINUS}{b}", f"{name}.test", metric, ALL, seed, *numbers)


def calibration_rows(method: str, found: Reliability, *, seed: int) -> Iterator[Row]:
    """Predicted and observed probability by bin, and the expected calibration error."""
    task = "calibration.test"
    for number, (predicted, observed) in enumerate(
        zip(found.predicted, found.observed, strict=True), start=1
    ):
        for metric, value in (("predicted", predicted), ("observed", observed)):
            yield Row(method, task, metric, f"bin_{number:02d}", seed, float(value), None, None)
    yield Row(method, task, "calibration_error", ALL, seed, found.error, None, None)
