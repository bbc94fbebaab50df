"""One level's itemsets with what their baskets say beside their number, and without what the floor withholds."""

from typing import Final

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.customer_shards import ABSENT, ID, shards_for
from basketlens.mine.facts import MONEY_UNITS
from basketlens.mine.floor import GAP, WHOLE, narrow_gaps, with_narrow_subset
from basketlens.mine.frequent import CODE
from basketlens.mine.holdout import held_out_baskets
from basketlens.mine.itemsets import with_flags
from basketlens.mine.known import Known
from basketlens.mine.measured import HELD_OUT, PAID, PAID_ITEMS, STRATA, measured
from basketlens.mine.shopping_rows import basket_rows
from basketlens.mine.strata import with_stratum
from basketlens.settings_mine import MineSettings
from basketlens.stage_io import StageIO

IS_WITHHELD: Final = "is_withheld"  # boolean, the privacy floor keeps the set from being published
_STRATA_TYPE: Final = "array<struct<stratum:int,count:bigint>>"
_NOTHING: Final = {
    c.CUSTOMERS: "long", c.BASKET_REVENUE: "double", c.ITEM_REVENUE: "double", HELD_OUT: "long", STRATA: _STRATA_TYPE,
}  # fmt: skip


class Remeasuring:
    """One level's baskets, ready to be asked."""

    def __init__(self, io: StageIO, mine: MineSettings, known: Known, level: str) -> None:
        """Read scratch `frequent` of the level: its ids go to the workers, at most `mine.max_pairs`."""
        self.io, self.known, self.level = io, known, level
        frequent = io.to_driver(
            io.read(f"frequent_{level}").select(c.ITEM_ID, CODE, c.COUNT),
            limit=mine.max_pairs,
            what=f"frequent items at level {level} (raise mine.min_support or mine.min_count, or mine.max_pairs)",
            doing=f"collecting items ({level})",
        ).sort_values(CODE)
        self._ids = pa.array(frequent[c.ITEM_ID].tolist(), pa.string())
        self._mine = mine
        self._shards = shards_for(int(frequent[c.COUNT].sum()), cores=io.cores, wanted=mine.partitions)

    def answers(self, queries: DataFrame) -> DataFrame:
        """What `measured.measured` finds for queries of this level."""
        strata = self.io.read("strata") if len(self.known.per_stratum) else None
        rows = self._rows(with_stratum(self.io.read("baskets"), strata), is_late=False)
        if self.known.held_out and self.known.cut is not None:
            late = with_stratum(held_out_baskets(self.io, self._mine, self.known.cut), None)
            rows = rows.unionByName(self._rows(late, is_late=True))
        return measured(
            queries, rows, shards=self._shards, n_items=len(self._ids), max_items=self._mine.max_basket_items
        )

    def _rows(self, baskets: DataFrame, *, is_late: bool) -> DataFrame:
        return basket_rows(baskets, self.level, self._ids, shards=self._shards, is_held_out=is_late)


def remeasured(io: StageIO, mine: MineSettings, known: Known, sets: DataFrame, *, level: str) -> DataFrame:
    """Coded itemsets with flags, customers, revenue, held-out baskets, strata and is_withheld.

    Flags are of the published sets among themselves: a set does not tell of a larger one that is withheld.

    Args:
        io: of the stage, which has written `baskets` and the level's `frequent`.
        mine: settings.
        known: from `known.known_baskets`.
        sets: items array<int> ascending, count long; each once.
        level: its name.
    """
    if not known.is_anything:
        nulls = {name: F.lit(None).cast(kind) for name, kind in _NOTHING.items()}
        return with_flags(sets).withColumns(nulls).withColumn(IS_WITHHELD, F.lit(False))
    numbered = sets.select(F.monotonically_increasing_id().alias(ID), c.ITEMS, c.COUNT)
    io.write(f"sets_{level}", numbered, doing=f"numbering itemsets ({level})")
    asked = Remeasuring(io, mine, known, level)
    found = asked.answers(io.read(f"sets_{level}").select(ID, c.ITEMS, _no_absent()))
    written = io.write(
        f"remeasured_{level}",
        with_answers(io.read(f"sets_{level}"), found, known),
        doing=f"measuring itemsets again ({level})",
        measures={
            "largest": F.max(F.size(c.ITEMS)),
            "wrong": F.count_if(~F.col(c.COUNT).eqNullSafe(F.col("recount"))),
        },
    )
    if wrong := written.measures["wrong"]:
        raise AssertionError(
            f"{wrong:,} of {written.rows:,} itemsets of level {level} were counted differently again"
        )
    known_sets = io.read(f"remeasured_{level}").drop("recount")
    if not known.floor:
        published, withheld = known_sets, None
    else:
        names = write_withheld(asked, known_sets, largest=int(written.measures["largest"] or 0))
        few = known_sets.filter(F.col(c.CUSTOMERS) < known.floor).select(c.ITEMS)
        for name in names:
            few = few.unionByName(io.read(name))
        published = known_sets.join(few, c.ITEMS, "left_anti")
        withheld = known_sets.join(few, c.ITEMS, "left_semi")
    flags = with_flags(published.select(c.ITEMS, c.COUNT)).drop(c.COUNT)
    flagged = published.join(flags, c.ITEMS).withColumn(IS_WITHHELD, F.lit(False))
    if withheld is None:
        return flagged
    return flagged.unionByName(withheld.withColumn(IS_WITHHELD, F.lit(True)), allowMissingColumns=True)


def with_answers(sets: DataFrame, found: DataFrame, known: Known) -> DataFrame:
    """Itemsets with their sums in the units of the contract; null for what the lines do not say."""

    def unless(is_known: bool, column: Column, kind: str) -> Column:
        return (F.coalesce(column, F.lit(0)) if is_known else F.lit(None)).cast(kind)

    joined = sets.join(found.withColumnRenamed(c.COUNT, "recount"), ID, "left")
    money = {c.BASKET_REVENUE: F.col(PAID) / MONEY_UNITS, c.ITEM_REVENUE: F.col(PAID_ITEMS) / MONEY_UNITS}
    return joined.select(
        c.ITEMS,
        c.COUNT,
        "recount",
        unless(known.has_customers, F.col(c.CUSTOMERS), "long").alias(c.CUSTOMERS),
        *(unless(known.has_money, column, "double").alias(name) for name, column in money.items()),
        unless(known.held_out > 0, F.col(HELD_OUT), "long").alias(HELD_OUT),
        STRATA,
    )


def write_withheld(asked: Remeasuring, sets: DataFrame, *, largest: int) -> list[str]:
    """Write the sets that are withheld although enough customers bought them; the scratch tables' names.

    A set is withheld when a gap below it has too few customers, and with it every larger set that holds it, so that
    what is published stays complete downward.  One table for each size, as each needs the one before.
    """
    io, level, floor = asked.io, asked.level, asked.known.floor
    gaps = narrow_gaps(sets, floor=floor).withColumn(ID, F.monotonically_increasing_id())
    is_unsure = F.col(GAP) >= floor  # fewer baskets have fewer customers
    doing = f"finding narrow gaps ({level})"
    written = io.write(f"gaps_{level}", gaps, doing=doing, measures={"unsure": F.count_if(is_unsure)})
    if not written.rows:
        return []
    narrow = io.read(f"gaps_{level}")
    if written.measures["unsure"]:
        found = asked.answers(narrow.filter(is_unsure).select(ID, c.ITEMS, ABSENT))
        narrow = narrow.join(found.select(ID, c.CUSTOMERS), ID, "left")
        narrow = narrow.filter(~is_unsure | (F.coalesce(c.CUSTOMERS, F.lit(0)) < floor))
    below = narrow.select(F.col(WHOLE).alias(c.ITEMS)).distinct()
    if not io.write(f"narrow_{level}", below, doing=f"counting customers in gaps ({level})").rows:
        return []
    own, names, before = io.read(f"narrow_{level}"), [], None
    for size in range(2, largest + 1):
        found = own.filter(F.size(c.ITEMS) == size)
        if before is not None:
            found = found.unionByName(with_narrow_subset(sets, before, size=size)).distinct()
        name = f"withheld_{level}_{size}"
        has_rows = io.write(name, found, doing=f"withholding itemsets of size {size} ({level})").rows
        names.append(name)
        before = io.read(name) if has_rows else None
    return names


def _no_absent() -> Column:
    return F.lit(None).cast("int").alias(ABSENT)
