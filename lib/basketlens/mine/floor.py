"""The privacy floor: which itemsets are withheld because too few people are behind what they say."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.customer_shards import ABSENT

WHOLE: Final = "whole"  # array<int>, the set whose part it is
GAP: Final = "gap"  # long, baskets that hold the part and lack the whole
_PARTS: Final = (
    "transform(sequence(1, size(items)), i -> named_struct('part', concat(slice(items, 1, i - 1), "
    "slice(items, i + 1, size(items))), 'absent', element_at(items, i)))"
)


def narrow_gaps(sets: DataFrame, *, floor: int) -> DataFrame:
    """Parts one item smaller than their set that may have too few customers in the baskets that lack the set.

    Parts one item smaller suffice.  Say A lies in the published W, and some basket holds A and lacks W.  Add the
    missing items to A one by one: at the first that the basket lacks, it lies in the gap between two published
    sets of neighbouring size, which has `floor` customers, and that gap lies inside the one between A and W.

    Most gaps need not be counted: where the part has `floor` more customers than the set, the gap has as many.

    Args:
        sets: items array<int>, count, customers.
        floor: distinct customers, 1 or more.

    Returns:
        whole, items (the part), absent (the item it lacks), gap; only gaps that are not empty.
    """
    wholes = sets.filter((F.size(c.ITEMS) > 1) & (F.col(c.CUSTOMERS) >= floor)).select(
        F.col(c.ITEMS).alias(WHOLE), c.COUNT, c.CUSTOMERS, F.explode(F.expr(_PARTS)).alias("cut")
    )
    parts = sets.select(
        c.ITEMS, F.col(c.COUNT).alias("part_count"), F.col(c.CUSTOMERS).alias("part_customers")
    )
    joined = wholes.withColumn(c.ITEMS, F.col("cut.part")).join(parts, c.ITEMS)
    gap = F.col("part_count") - F.col(c.COUNT)
    may_be_narrow = F.col("part_customers") - F.col(c.CUSTOMERS) < floor
    return joined.filter((gap > 0) & may_be_narrow).select(
        WHOLE, c.ITEMS, F.col("cut.absent").alias(ABSENT), gap.alias(GAP)
    )


def with_narrow_subset(sets: DataFrame, narrow: DataFrame, *, size: int) -> DataFrame:
    """Items of the sets of `size` that hold a set of `narrow` one item smaller."""
    of_size = sets.filter(F.size(c.ITEMS) == size).select(
        F.col(c.ITEMS).alias(WHOLE), F.explode(F.expr(_PARTS)).alias("cut")
    )
    held = of_size.join(narrow, F.col("cut.part") == narrow[c.ITEMS], "left_semi")
    return held.select(F.col(WHOLE).alias(c.ITEMS)).distinct()
