"""Whose completion is asked for, and what their customers bought in other baskets."""

import math
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.serve.fields import BOUGHT, CUSTOMER, ONE, OTHER_BASKETS, OTHER_RECENT, RECENT, TIMES

DAY: Final = "day"  # int, days since 1970-01-01 of a basket's first line; 0 where it is not known
_LAST: Final = "last"  # timestamp, of a basket's last line
_ASKED: Final = "asked_id"  # string, the basket that is asked for
_PURCHASES: Final = "purchases"  # array<struct<item, times, recent>>


def shopping_of(lines: DataFrame, products: DataFrame, *, level: str) -> DataFrame:
    """basket_id, items (distinct ids of the level), customer, day and time of the last line of every basket."""
    day = F.coalesce(F.unix_date(F.min(F.to_date(c.SOLD_AT))), F.lit(0))
    sold = lines.select(c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.SOLD_AT)
    return _grouped(sold, products, day.alias(DAY), F.max(c.SOLD_AT).alias(_LAST), level=level)


def open_of(open_baskets: DataFrame, products: DataFrame, *, level: str) -> DataFrame:
    """basket_id, items and customer of baskets that are not paid yet; products that nobody knows are left out."""
    return _grouped(open_baskets, products, level=level)


def latest_of(shopping: DataFrame) -> DataFrame:
    """basket_id, items and customer of the latest basket of every customer; of several the greatest id."""
    order = Window.partitionBy(CUSTOMER).orderBy(F.col(_LAST).desc_nulls_last(), F.col(c.BASKET_ID).desc())
    known = shopping.filter(F.col(CUSTOMER).isNotNull()).withColumn("place", F.row_number().over(order))
    return known.filter("place = 1").select(c.BASKET_ID, c.ITEMS, CUSTOMER)


def with_history(asked: DataFrame, shopping: DataFrame, *, until: int, half_life_weeks: float) -> DataFrame:
    """Add what the customer bought in all other baskets: the columns from BOUGHT to OTHER_RECENT.

    Args:
        asked: of `latest_of` or `open_of`.
        shopping: of `shopping_of`.
        until: day since 1970-01-01 from which the ages of baskets are counted.
        half_life_weeks: after so many weeks a basket counts half; inf: it never counts less.
    """
    recent = _recent(until, half_life_weeks)
    others = shopping.select(
        F.col(c.BASKET_ID).alias("other_id"), F.col(c.ITEMS).alias("held"), CUSTOMER, recent
    )
    asking = asked.filter(F.col(CUSTOMER).isNotNull()).select(F.col(c.BASKET_ID).alias(_ASKED), CUSTOMER)
    joined = asking.join(others, CUSTOMER).filter(F.col("other_id") != F.col(_ASKED))
    baskets = joined.groupBy(_ASKED).agg(
        F.count("*").cast("int").alias(OTHER_BASKETS), F.sum(RECENT).alias(OTHER_RECENT)
    )
    purchase = joined.select(_ASKED, F.explode("held").alias("item"), RECENT)
    by_item = purchase.groupBy(_ASKED, "item").agg(
        F.count("*").cast("int").alias(TIMES), F.sum(RECENT).alias(RECENT)
    )
    purchases = by_item.groupBy(_ASKED).agg(
        F.sort_array(F.collect_list(F.struct("item", TIMES, RECENT))).alias(_PURCHASES)
    )
    of_customer = baskets.join(purchases, _ASKED, "left").withColumnRenamed(_ASKED, c.BASKET_ID)
    lists = {BOUGHT: "item", TIMES: TIMES, RECENT: RECENT}
    return asked.join(of_customer, c.BASKET_ID, "left").select(
        c.BASKET_ID,
        c.ITEMS,
        CUSTOMER,
        *(F.col(f"{_PURCHASES}.{field}").alias(name) for name, field in lists.items()),
        F.coalesce(OTHER_BASKETS, F.lit(0)).alias(OTHER_BASKETS),
        F.coalesce(OTHER_RECENT, F.lit(0).cast("long")).alias(OTHER_RECENT),
    )


def _recent(until: int, half_life_weeks: float) -> Column:
    """What a basket counts, in 1 / ONE."""
    if math.isinf(half_life_weeks):
        return F.lit(ONE).cast("long").alias(RECENT)
    age = (F.lit(until) - F.col(DAY)) / (7 * half_life_weeks)
    return F.round(F.pow(F.lit(0.5), age) * ONE).cast("long").alias(RECENT)


def _grouped(sold: DataFrame, products: DataFrame, *facts: Column, level: str) -> DataFrame:
    if level == "name":
        sold = sold.join(products.select(c.PRODUCT_ID, c.NAME_HASH), c.PRODUCT_ID, "left")
    item = F.collect_set(c.PRODUCT_ID if level == "product" else c.NAME_HASH).alias(c.ITEMS)
    return sold.groupBy(c.BASKET_ID).agg(item, F.min(c.CUSTOMER_KEY).alias(CUSTOMER), *facts)
