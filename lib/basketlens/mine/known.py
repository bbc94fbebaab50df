"""What the mined baskets are known of, and so what can be measured again on them."""

from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from basketlens.errors import LimitError
from basketlens.mine.facts import CUSTOMER, MONEY_UNITS, TOTAL
from basketlens.mine.holdout import held_out_baskets
from basketlens.mine.strata import write_strata
from basketlens.settings import Settings
from basketlens.stage_io import StageIO

_MOST_PAID = 9_000_000_000_000_000_000 // MONEY_UNITS  # currency: sums are longs


class Known(NamedTuple):
    """The same for every level."""

    has_customers: bool
    has_money: bool
    floor: int  # distinct customers behind what is published; 0 where the lines have none
    cut: date | None  # first held-out day
    held_out: int  # baskets
    per_stratum: NDArray[np.int64]  # (strata,), mined baskets; empty = not stratified

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to measure again."""
        return self.has_customers or self.has_money or self.held_out > 0 or len(self.per_stratum) > 0

    def figures(self, settings: Settings) -> dict[str, Any]:
        """For the run's note: what is measured, and why not what was asked for."""
        notes: dict[str, Any] = {"min_customers": self.floor}
        if not self.has_customers:
            notes["no_floor"] = "no line has a customer"
        if settings.mine.holdout:
            notes |= {"held_out_baskets": self.held_out, "held_out_from": self.cut and self.cut.isoformat()}
        if settings.mine.stratify:
            notes["strata"] = len(self.per_stratum)
        return notes


def known_baskets(io: StageIO, settings: Settings, cut: date | None) -> Known:
    """Look at the scratch table `baskets`, and with a cut at `grouped`; writes `strata` when they are wanted.

    Raises:
        LimitError: more strata than `mine.max_strata`, or more money than a long can hold.
    """
    mine = settings.mine
    facts = io.read("baskets").agg(
        F.count(CUSTOMER).alias("customers"),
        F.count(TOTAL).alias("totals"),
        F.coalesce(F.sum(F.abs(F.col(TOTAL).cast("double"))), F.lit(0.0)).alias("paid"),
    )
    row = io.to_driver(facts, limit=1, what="rows of facts", doing="looking at customers and amounts").iloc[0]
    if (paid := float(row["paid"]) / MONEY_UNITS) > _MOST_PAID:
        raise LimitError(
            f"The amounts of all lines add up to {paid:.3g}; revenue can be measured up to {_MOST_PAID:.3g}.\n"
            "  Next: look for amounts that are no money (ids, dates) in the source column of clean.columns.amount"
        )
    held_out = 0
    if cut is not None:
        late = held_out_baskets(io, mine, cut).agg(F.count("*").alias("baskets"))
        counted = io.to_driver(late, limit=1, what="rows of facts", doing="counting held-out baskets")
        held_out = int(counted["baskets"].iloc[0])
    has_customers = bool(row["customers"])
    return Known(
        has_customers=has_customers,
        has_money=bool(row["totals"]),
        floor=settings.privacy.min_customers if has_customers else 0,
        cut=cut,
        held_out=held_out,
        per_stratum=write_strata(io, stratify=mine.stratify, limit=mine.max_strata)
        if mine.stratify
        else np.empty(0, np.int64),
    )
