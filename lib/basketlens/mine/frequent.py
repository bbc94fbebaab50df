"""Frequent single items, and the dense codes that stand for them inside this stage."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

CODE: Final = "code"  # int, 0..frequent items - 1, the most frequent item last


def frequent_items(sold: DataFrame, *, min_count: int) -> DataFrame:
    """Items in at least `min_count` baskets, with their count and code.

    Codes ascend with the count; of items with the same count the smaller id has the larger code.  So the last
    codes of an ascending basket are its most frequent items, and a search that starts at the smallest code of a
    set starts where there are fewest baskets.

    Only the frequent items pass through the single partition that numbers them: at most
    (items per basket) / (relative support), some 10 / 0.0003 = 33,000.

    Args:
        sold: basket, item_id, each pair once.
        min_count: baskets, 1 or more.

    Returns:
        item_id string, count long, code int.
    """
    counted = sold.groupBy(c.ITEM_ID).agg(F.count("*").alias(c.COUNT)).filter(F.col(c.COUNT) >= min_count)
    ordered = counted.repartition(1).sortWithinPartitions(F.col(c.COUNT), F.col(c.ITEM_ID).desc())
    # In the one partition there is, the generated ids are 0, 1, 2...
    return ordered.withColumn(CODE, F.monotonically_increasing_id().cast("int"))
