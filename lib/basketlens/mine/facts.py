"""What is known of a receipt line and of its basket beside the items: customer, money, day, stratum."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

MONEY_UNITS: Final = (
    10_000  # of one unit of currency: `lines.amount` has four decimals, so sums in longs are exact
)
CUSTOMER: Final = "customer"  # long, hash of the customer key; null when unknown
MONEY: Final = "money"  # long, 1 / MONEY_UNITS of the currency, paid for the line; null when unknown
TOTAL: Final = "total"  # long, the same for the whole basket
DAY: Final = "day"  # date in UTC, of the basket's first line; null when unknown
STRATUM_KEY: Final = (
    "stratum_key"  # string: the store, the week's Monday, or for promotions the day; null when unknown
)
SOLD: Final = "sold"  # array<struct<level..., money>>, one element per receipt line


def with_facts(lines: DataFrame, *, stratify: str) -> DataFrame:
    """Lines with what `basket_facts` gathers; columns that a user's own table lacks are null.

    A hash of 64 bits stands for the customer: should two customers ever share one, they count as one, so
    that the privacy floor errs toward withholding.

    Args:
        lines: basket_id, product_id; used when there: customer_key, amount, sold_at, store_id.
        stratify: `mine.stratify`.

    Returns:
        basket_id, product_id, customer, money, day, stratum_key.
    """
    key, day = _or_null(lines, c.CUSTOMER_KEY, "string"), F.to_date(_or_null(lines, c.SOLD_AT, "timestamp"))
    money = (_or_null(lines, c.AMOUNT, "decimal(18,4)") * MONEY_UNITS).cast("long")
    stratum = _or_null(lines, c.STORE_ID, "string") if stratify == "store" else F.lit(None).cast("string")
    return lines.select(
        c.BASKET_ID,
        c.PRODUCT_ID,
        F.when(key.isNotNull(), F.xxhash64(key)).alias(CUSTOMER),
        money.alias(MONEY),
        day.alias(DAY),
        stratum.alias(STRATUM_KEY),
    )


def basket_facts(levels: dict[str, str], *, stratify: str) -> Sequence[Column]:
    """Aggregates over the lines of one basket: customer, total, day, stratum_key, sold.

    A basket that is said to belong to two customers or stores belongs to the greater of the two, whatever the
    order of its lines.

    Args:
        levels: level -> column of its item id.
        stratify: `mine.stratify`.
    """
    day = F.min(DAY)
    monday = F.date_trunc("week", day).cast("date").cast("string")
    stratum = {"week": monday, "promotion": day.cast("string")}.get(stratify, F.max(STRATUM_KEY))
    items = [F.col(column).alias(level) for level, column in levels.items()]
    return (
        F.max(CUSTOMER).alias(CUSTOMER),
        F.sum(MONEY).alias(TOTAL),
        day.alias(DAY),
        stratum.alias(STRATUM_KEY),
        F.collect_list(F.struct(*items, MONEY)).alias(SOLD),
    )


def _or_null(lines: DataFrame, column: str, kind: str) -> Column:
    return (F.col(column) if column in lines.columns else F.lit(None)).cast(kind)
