"""`[clean.gates.*]`: what a run's rows must be like to be published, and what happens when they are not."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from basketlens import reasons
from basketlens.settings_base import Section

Share = Annotated[float, Field(ge=0, le=1)]
Runs = Annotated[int, Field(ge=3, le=1000)]  # earlier runs to compare with


class Gate(Section):
    """Beyond the limit: `warn` tells it in the summary, `fail` publishes nothing, `off` measures alone."""

    action: Literal["off", "warn", "fail"]


class ShareGate(Gate):
    """A share that may not be larger."""

    max: Share


class ReasonGate(Gate):
    """The same for each reason of a reject; reasons that are not named have no limit."""

    max: dict[str, Share]

    @field_validator("max")
    @classmethod
    def _are_reasons(cls, value: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(value) - set(reasons.ALL)):
            raise ValueError(f"reasons, which are {', '.join(reasons.ALL)}; found {', '.join(unknown)}")
        return value


class RatioGate(Gate):
    """A figure against its median over earlier runs."""

    runs: Runs
    low: Share  # times the median
    high: Annotated[float, Field(ge=1, le=1_000_000)]  # times the median


class ChangeGate(Gate):
    """A figure that may not move further from its median over earlier runs, up or down."""

    runs: Runs
    max: Annotated[float, Field(ge=0, le=1000)]  # share of the median


class RangeGate(Gate):
    """A share of lines that may lie outside a range."""

    low: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    high: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    max: Share

    @model_validator(mode="after")
    def _is_range(self) -> "RangeGate":
        if self.low > self.high:
            raise ValueError(f"low not above high; found low = {self.low} and high = {self.high}")
        return self


class GateSettings(Section):
    """All gates of the clean stage."""

    rejected: ShareGate  # of source rows
    rejected_by_reason: ReasonGate  # of source rows
    rows: RatioGate  # source rows
    unknown_products: ShareGate  # of source rows
    quantity: RangeGate  # units of a line
    price: RangeGate  # currency per unit of a line
    basket_size: ChangeGate  # lines per basket
