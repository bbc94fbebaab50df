"""The table `itemsets` from coded itemsets."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.frequent import CODE
from basketlens.mine.pairs import A, B

_IMMEDIATE_SUBSETS: Final = "transform(sequence(1, size(items)), i -> concat(slice(items, 1, i - 1), slice(items, i + 1, size(items))))"
_SUPERSET_COUNT: Final = "superset_count"


def coded_itemsets(frequent: DataFrame, pairs: DataFrame | None, larger: DataFrame | None) -> DataFrame:
    """All sizes in one table: items array<int> ascending, count long."""
    sets = frequent.select(F.array(CODE).alias(c.ITEMS), c.COUNT)
    if pairs is not None:
        sets = sets.unionByName(pairs.select(F.array(A, B).alias(c.ITEMS), c.COUNT))
    if larger is not None:
        sets = sets.unionByName(larger.select(c.ITEMS, c.COUNT))
    return sets


def with_flags(sets: DataFrame) -> DataFrame:
    """Add is_closed and is_maximal.

    Every subset of a frequent set is in `sets`, and counts never rise with size.  So a larger set with the same
    count, or a larger frequent set at all, shows in a set of one item more; and as each of these finds its
    subsets' rows, one aggregation replaces the join.

    Args:
        sets: items array<int> ascending, count long; complete downward.
    """
    subsets = sets.filter(F.size(c.ITEMS) > 1).select(
        F.explode(F.expr(_IMMEDIATE_SUBSETS)).alias(c.ITEMS), F.col(c.COUNT).alias(_SUPERSET_COUNT)
    )
    merged = sets.unionByName(subsets, allowMissingColumns=True).groupBy(c.ITEMS)
    counted = merged.agg(F.max(c.COUNT).alias(c.COUNT), F.max(_SUPERSET_COUNT).alias(_SUPERSET_COUNT))
    superset_count = F.coalesce(F.col(_SUPERSET_COUNT), F.lit(0))
    return counted.select(
        c.ITEMS,
        c.COUNT,
        (superset_count < F.col(c.COUNT)).alias(c.IS_CLOSED),
        (superset_count == 0).alias(c.IS_MAXIMAL),
    )


def decode_itemsets(flagged: DataFrame, frequent: DataFrame, *, level: str, baskets: int) -> DataFrame:
    """The table `itemsets` of one level: item ids instead of codes, support as a share of all `baskets`, the rest kept."""
    kept = [name for name in flagged.columns if name != c.ITEMS]
    exploded = flagged.select(c.ITEMS, *kept, F.explode(c.ITEMS).alias(CODE))
    named = exploded.join(frequent.select(CODE, c.ITEM_ID), CODE).groupBy(c.ITEMS)
    same = [F.first(name).alias(name) for name in kept]  # of a set all rows have the same
    return named.agg(F.sort_array(F.collect_list(c.ITEM_ID)).alias("ids"), *same).select(
        F.lit(level).alias(c.LEVEL),
        F.col("ids").alias(c.ITEMS),
        F.size("ids").alias(c.SIZE),
        c.COUNT,
        (F.col(c.COUNT) / F.lit(max(baskets, 1))).alias(c.SUPPORT),
        *(name for name in kept if name != c.COUNT),
    )
