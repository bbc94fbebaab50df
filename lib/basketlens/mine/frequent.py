"""Frequent single items, and the dense codes that stand for them inside this stage."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

CODE: Final = "code"  # int, 0..frequent items - 1, ascending with the item id


def frequent_items(sold: DataFrame, *, min_count: int) -> DataFrame:
    """Items in at least `min_count` baskets, with their count and code.

    Codes ascend with the item id: an ascending array of codes is then an ascending array of ids, so itemsets
    are sorted once, as ints.

    Only the frequent items pass through the single partition that numbers them: at most
    (items per basket) / (relative support), some 10 / 0.0003 = 33,000.

    Args:
        sold: basket, item_id, each pair once.
        min_count: baskets, 1 or more.

    Returns:
        item_id string, count long, code int.
    """
    counted = sold.groupBy(c.ITEM_ID).agg(F.count("*").alias(c.COUNT)).filter(F.col(c.COUNT) >= min_count)
    ordered = counted.repartition(1).sortWithinPartitions(c.ITEM_ID)
    # In the one partition there is, the generated ids are 0, 1, 2...
    return ordered.withColumn(CODE, F.monotonically_increasing_id().cast("int"))
