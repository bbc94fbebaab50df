"""Itemsets of three or more by MLlib's FP-growth."""

from typing import Final

from pyspark.ml.fpm import FPGrowth
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

_ENTRIES_PER_TASK: Final = 2_000_000  # FP-growth's cost grows with its partitions: one until this is outgrown


def growth_partitions(entries: int, *, cores: int) -> int:
    """Partitions of FP-growth for so many items over all pruned baskets."""
    return max(1, min(cores, entries // _ENTRIES_PER_TASK))


def larger_itemsets(
    baskets: DataFrame, *, rows: int, min_count: int, max_size: int, partitions: int
) -> DataFrame:
    """Itemsets of size 3 to `max_size` in at least `min_count` of the pruned baskets.

    The result is lazy and mines again at every action: write it once.  FP-growth itself has no limit of
    length, it mines all sizes.

    Args:
        baskets: items array<int>, distinct.
        rows: baskets, at least `min_count`.
        min_count: baskets an itemset must appear in.
        max_size: items.
        partitions: of the conditional trees.

    Returns:
        items array<int> ascending, count long.

    Source: Li et al. 2008, "PFP: Parallel FP-Growth for Query Recommendation", as in Spark MLlib.
    """
    share = (
        min_count - 0.5
    ) / rows  # MLlib rounds share * rows up: half a basket away from any rounding error
    model = FPGrowth(itemsCol=c.ITEMS, minSupport=share, numPartitions=partitions).fit(baskets)
    return model.freqItemsets.filter(F.size("items").between(3, max_size)).select(
        F.sort_array("items").alias(c.ITEMS), F.col("freq").alias(c.COUNT)
    )
