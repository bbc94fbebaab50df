"""Items: what is mined and linked, at every level."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c


def items_of(products: DataFrame, lines: DataFrame) -> DataFrame:
    """The items of all four levels, with how many receipt lines sold them.

    One name with many product codes is one item at level `name`.
    """
    sold = lines.groupBy(c.PRODUCT_ID).agg(F.count("*").alias(c.LINES))
    counted = products.filter(c.IS_MERCHANDISE).join(sold, c.PRODUCT_ID, "left").fillna(0, [c.LINES])
    levels = (
        _items(counted, "product", c.PRODUCT_ID, F.coalesce(c.PRODUCT_NAME, c.PRODUCT_ID)),
        _items(counted, "name", c.NAME_HASH, F.col(c.PRODUCT_NAME)),
        _items(counted, "category", c.CATEGORY, F.col(c.CATEGORY)),
        _items(counted, "department", c.DEPARTMENT, F.col(c.DEPARTMENT)),
    )
    return reduce(DataFrame.unionByName, levels)


def _items(products: DataFrame, level: str, key: str, name: Column) -> DataFrame:
    """Items of one level; those of several categories or departments carry the first by alphabet."""
    return (
        products.filter(F.col(key).isNotNull())
        .groupBy(F.col(key).alias(c.ITEM_ID))
        .agg(
            F.min(name).alias(c.ITEM_NAME),
            F.min(c.CATEGORY).alias(c.CATEGORY),
            F.min(c.DEPARTMENT).alias(c.DEPARTMENT),
            F.sum(c.LINES).alias(c.LINES),
        )
        .withColumn(c.LEVEL, F.lit(level))
    )
