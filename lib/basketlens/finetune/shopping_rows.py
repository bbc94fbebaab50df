"""The plan of `finetune`: items and baskets, once for each task that trains on them."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.finetune.fields import CUSTOMER, DAY, IS_BASKET, KEY_ID, NAME, TASK, VECTOR
from basketlens.lanes import lanes

_LANE: Final = "lane"  # int, sends a task to a partition of its own
_HASHES: Final = 1 << 31  # numbers that baskets are drawn by


def items_of(items: DataFrame, products: DataFrame, embeddings: DataFrame, *, level: str) -> DataFrame:
    """item_id, name and vector of the items of a level whose names are embedded, sold or not."""
    wanted = items.filter(F.col(c.LEVEL) == level).select(c.ITEM_ID, F.col(c.ITEM_NAME).alias(NAME))
    if level == "name":
        named = wanted.withColumn(c.NAME_HASH, F.col(c.ITEM_ID))
    else:
        names = products.select(F.col(c.PRODUCT_ID).alias(c.ITEM_ID), c.NAME_HASH)
        named = wanted.join(names, c.ITEM_ID)
    known = embeddings.filter(F.col(c.EMBEDDING).isNotNull())
    vectors = known.select(c.NAME_HASH, F.col(c.EMBEDDING).alias(VECTOR))
    return named.join(vectors, c.NAME_HASH).select(c.ITEM_ID, NAME, VECTOR)


def baskets_of(lines: DataFrame, products: DataFrame, *, level: str, max_items: int) -> DataFrame:
    """basket_id, items (distinct ids), customer and day, of baskets of at most `max_items` items.

    The day is that of the first line that has one, else 0: 1970-01-01.
    """
    item = F.col(c.PRODUCT_ID if level == "product" else c.NAME_HASH)
    sold = lines.select(c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.SOLD_AT)
    if level == "name":
        sold = sold.join(products.select(c.PRODUCT_ID, c.NAME_HASH), c.PRODUCT_ID)
    day = F.coalesce(F.unix_date(F.min(F.to_date(c.SOLD_AT))), F.lit(0))
    grouped = sold.groupBy(c.BASKET_ID).agg(
        F.collect_set(item).alias(c.ITEMS), F.min(c.CUSTOMER_KEY).alias(CUSTOMER), day.alias(DAY)
    )
    return grouped.filter(F.size(c.ITEMS).between(1, max_items))


def drawn(baskets: DataFrame, *, found: int, wanted: int) -> DataFrame:
    """About `wanted` of the `found` baskets, the same ones at every run; all when there are no more."""
    if found <= wanted:
        return baskets
    bound = wanted * _HASHES // found
    return baskets.filter(F.pmod(F.xxhash64(F.col(c.BASKET_ID)), F.lit(_HASHES)) < bound)


def task_rows(items: DataFrame, baskets: DataFrame, part: range) -> DataFrame:
    """What each task reads: its items by id, then its baskets by day and id, in one partition a task."""
    every_task = F.explode(F.sequence(F.lit(part[0]), F.lit(part[-1]))).alias(TASK)
    nothing = {
        NAME: F.lit(None).cast("string"),
        VECTOR: F.lit(None).cast("array<float>"),
        c.ITEMS: F.lit(None).cast("array<string>"),
        CUSTOMER: F.lit(None).cast("string"),
        DAY: F.lit(0),
    }
    none = {name: value.alias(name) for name, value in nothing.items()}
    of_items = items.select(
        every_task, F.lit(False).alias(IS_BASKET), F.col(c.ITEM_ID).alias(KEY_ID), NAME, VECTOR,
        none[c.ITEMS], none[CUSTOMER], none[DAY],
    )  # fmt: skip
    of_baskets = baskets.select(
        every_task, F.lit(True).alias(IS_BASKET), F.col(c.BASKET_ID).alias(KEY_ID), none[NAME], none[VECTOR],
        c.ITEMS, CUSTOMER, DAY,
    )  # fmt: skip
    lane = F.element_at(F.array(*map(F.lit, lanes(len(part)))), F.col(TASK) - part[0] + 1)
    return (
        of_items.unionByName(of_baskets)
        .withColumn(_LANE, lane)
        .repartition(len(part), _LANE)
        .sortWithinPartitions(TASK, IS_BASKET, DAY, KEY_ID)
        .drop(_LANE)
    )
