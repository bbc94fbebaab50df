"""The last part of the window, kept back so that rules can be measured on baskets they were not found in."""

from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.facts import DAY
from basketlens.mine.population import is_large_basket
from basketlens.settings_mine import MineSettings
from basketlens.stage_io import StageIO

_DAYS: Final = 100_000  # 270 years


def cut_day(io: StageIO, lines: DataFrame, *, share: float) -> date | None:
    """The first day of the held-out part: as many last days as hold at most `share` of the lines that have a day.

    Whole days, because a count per day is exact whatever the partitioning and small whatever the data.

    Args:
        io: of the stage.
        lines: from `facts.with_facts`.
        share: `mine.holdout`; 0 = no day is asked for.

    Returns:
        None when nothing is held out: by setting, without times, or when the last day alone holds more.
    """
    if not share:
        return None
    per_day = lines.filter(F.col(DAY).isNotNull()).groupBy(DAY).agg(F.count("*").alias(c.COUNT))
    days = io.to_driver(per_day, limit=_DAYS, what="days of sale", doing="counting lines per day")
    days = days.sort_values(DAY, ascending=False)
    is_late = days[c.COUNT].cumsum() <= share * days[c.COUNT].sum()
    return min(days[DAY][is_late], default=None)


def is_held_out(cut: date) -> Column:
    """Whether a basket of `baskets.items_per_basket` is held out; one without a day is not."""
    return F.coalesce(F.col(DAY) >= F.lit(cut), F.lit(False))


def held_out_baskets(io: StageIO, mine: MineSettings, cut: date) -> DataFrame:
    """Those of scratch `grouped`; the large ones are left out where they are left out of mining."""
    late = io.read("grouped").filter(is_held_out(cut))
    return late.filter(~is_large_basket(mine)) if mine.large_baskets == "exclude" else late


def mined_baskets(io: StageIO, grouped: DataFrame, cut: date | None) -> DataFrame:
    """The baskets to mine; with a cut, all of them are written first, so that they are grouped once."""
    if cut is None:
        return grouped
    io.write("grouped", grouped, doing="grouping lines into baskets, held-out ones too")
    return io.read("grouped").filter(~is_held_out(cut))
