"""Receipt rows in our types, each with every reason why it is no line by itself.

Reasons that need other rows (duplicates, returns) are added by `repeats.py` and `returns.py`.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens import reasons
from basketlens.clean.mapping import blank_to_null, number, sold_at, text
from basketlens.formats import CORRUPT
from basketlens.settings import InputSettings, Settings
from basketlens.source_columns import source_column
from basketlens.windows import DayWindow

CONTENT: Final = "content"  # long, hash of the mapped values: equal for equal rows
IS_UNKNOWN: Final = "is_unknown"  # boolean, the row has a product id that the catalogue does not have
_IS_NAMED: Final = "is_named"  # boolean, the catalogue has a name for the product
FROM_RETURNS: Final = "from_returns"  # boolean, the row came from `input.returns`
_HELD_BACK: Final = (c.CUSTOMER_ID,)  # personal: only its key goes on
_MONEY: Final = "DECIMAL(18,4)"
_LARGEST: Final = 1e14  # of decimal(18,4)


class Feed(NamedTuple):
    """One source of receipt rows: the log itself, or a feed of returns."""

    rows: DataFrame  # source rows that already have `customer_key`
    mapped: Mapping[str, str]  # our name -> source column
    is_returns: bool  # every row is a return, whatever the sign of its quantity


def checked(feed: Feed, products: DataFrame, settings: Settings) -> DataFrame:
    """The rows of a feed in our types, each with the reasons of its own why it is no line.

    Rows of all feeds get the same columns, so that they can be put together.
    """
    feed = _apart(feed)
    typed = feed.rows.withColumns(_typed(feed, settings)).transform(_with_sign, settings)
    # Broadcast when the catalogue's ids are few enough for Spark's threshold; else both sides are sorted.
    joined = typed.join(_known(products), c.PRODUCT_ID, "left")
    return joined.withColumn(c.REASONS, _reasons(feed, settings)).select(
        c.SOURCE, c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.STORE_ID, c.SOLD_AT, c.SOLD_ON, c.QUANTITY, c.AMOUNT,
        c.LINE_ID, c.PROMOTION, c.RETURNED_BASKET_ID, c.REASONS, CONTENT,
        F.when(F.col(c.REASONS).isNotNull(), _raw(feed)).alias(c.RAW),
        (F.col(CORRUPT).isNull() & F.col(c.PRODUCT_ID).isNotNull() & F.col(_IS_NAMED).isNull()).alias(IS_UNKNOWN),
        F.lit(feed.is_returns).alias(FROM_RETURNS),
    )  # fmt: skip


def _apart(feed: Feed) -> Feed:
    """The feed with its columns under names that none of ours has, and without the customer's id."""
    mapped = {name: source for name, source in feed.mapped.items() if source and name not in _HELD_BACK}
    as_read = (source_column(source).alias(f"given_{name}") for name, source in mapped.items())
    rows = feed.rows.select(c.SOURCE, c.CUSTOMER_KEY, CORRUPT, *as_read)
    return feed._replace(rows=rows, mapped={name: f"given_{name}" for name in mapped})


def _typed(feed: Feed, settings: Settings) -> dict[str, Column]:
    """Our columns.  What was read but cannot be understood is null, and `_reasons` tells it from what was not there."""
    rows, mapped, given = feed.rows, feed.mapped, settings.input
    when = _sold_at(rows, mapped, given)
    ids = (c.BASKET_ID, c.PRODUCT_ID, c.STORE_ID, c.LINE_ID, c.PROMOTION)
    # The basket of a row in a feed of returns is the one that the goods were bought in.
    bought_in = c.BASKET_ID if feed.is_returns else c.RETURNED_BASKET_ID
    return {
        **{name: text(rows, mapped, name) for name in ids},
        c.RETURNED_BASKET_ID: text(rows, mapped, bought_in),
        c.SOLD_AT: when,
        c.SOLD_ON: _day(when, given.time_zone),
        c.QUANTITY: _quantity(feed, given),
        c.AMOUNT: _amount(feed, given),
        CONTENT: _content(feed),
    }


def _content(feed: Feed) -> Column:
    """A hash of the mapped values as read.  Spark's passes over nulls, so where they are is hashed too."""
    values = [*map(source_column, feed.mapped.values()), F.col(c.CUSTOMER_KEY), F.col(CORRUPT)]
    return F.xxhash64(F.lit(feed.is_returns), *values, *(value.isNull() for value in values))


def _sold_at(rows: DataFrame, mapped: Mapping[str, str], given: InputSettings) -> Column:
    source = mapped.get(c.SOLD_AT)
    return sold_at(rows, source, given) if source else F.lit(None).cast("timestamp")


def _day(when: Column, time_zone: str) -> Column:
    """The day of business: the date on the shop's clock."""
    return F.to_date(when if time_zone == "UTC" else F.from_utc_timestamp(when, time_zone))


def _quantity(feed: Feed, given: InputSettings) -> Column:
    """Units; 1 where the source counts none, for then a row is a unit.  NaN and infinity are no quantities."""
    source = feed.mapped.get(c.QUANTITY)
    value = number(feed.rows, source, "DOUBLE", given) if source else F.lit(1.0)
    units = F.when(F.abs(value) < F.lit(float("inf")), value)  # NaN counts as above infinity in Spark
    if not feed.is_returns:
        return units
    # What came back without a count is one unit; what cannot be read stays unknown.
    return F.when(_given(feed, c.QUANTITY), -F.abs(units)).otherwise(-1.0)


def _amount(feed: Feed, given: InputSettings) -> Column:
    """Money of the line: given, or price times quantity."""
    if amount := feed.mapped.get(c.AMOUNT):
        return number(feed.rows, amount, _MONEY, given)
    if price := feed.mapped.get(c.UNIT_PRICE):
        money = number(feed.rows, price, "DOUBLE", given) * _quantity(feed, given)
        # A product too large for the type is no amount: null here, `bad_amount` in `_reasons`.
        return F.when(F.abs(money) < _LARGEST, F.round(money, 4)).cast("decimal(18,4)")
    return F.lit(None).cast("decimal(18,4)")


def _with_sign(rows: DataFrame, settings: Settings) -> DataFrame:
    """Where the log writes returns as negative money, their quantity becomes negative too."""
    if settings.clean.non_positive_amount != "return":
        return rows
    units = F.coalesce(c.QUANTITY, F.lit(1.0))
    is_return = (F.col(c.AMOUNT) < 0) & (units > 0)
    return rows.withColumn(c.QUANTITY, F.when(is_return, -units).otherwise(F.col(c.QUANTITY)))


def _given(feed: Feed, name: str) -> Column:
    """Whether the source has a value there, readable or not."""
    source = feed.mapped.get(name) or (feed.mapped.get(c.UNIT_PRICE) if name == c.AMOUNT else "")
    if not source:
        return F.lit(False)
    is_text = isinstance(feed.rows.schema[source].dataType, T.StringType)
    value = source_column(source)
    return (blank_to_null(value) if is_text else value).isNotNull()


def _known(products: DataFrame) -> DataFrame:
    """What the catalogue says of a product id; a product that is not in it has no name."""
    return products.select(c.PRODUCT_ID, F.col(c.PRODUCT_NAME).isNotNull().alias(_IS_NAMED), c.IS_MERCHANDISE)


def _reasons(feed: Feed, settings: Settings) -> Column:
    """All that is wrong with a row, sorted; null for a good one."""
    window, policy = DayWindow.of(settings.clean), settings.clean.non_positive_amount
    has_basket, has_product = F.col(c.BASKET_ID).isNotNull(), F.col(c.PRODUCT_ID).isNotNull()
    has_receipt = has_basket | F.col(c.CUSTOMER_KEY).isNotNull() if feed.is_returns else has_basket
    has_time = F.col(c.SOLD_AT).isNotNull() if feed.mapped.get(c.SOLD_AT) else F.lit(True)
    is_sale = F.coalesce(c.QUANTITY, F.lit(1.0)) >= 0
    faults = {
        reasons.MISSING_BASKET: ~has_receipt,
        reasons.MISSING_PRODUCT: ~has_product,
        reasons.MISSING_NAME: has_product & ~F.coalesce(_IS_NAMED, F.lit(False)),
        reasons.NON_MERCHANDISE: ~F.coalesce(c.IS_MERCHANDISE, F.lit(True)),
        reasons.BAD_TIMESTAMP: ~has_time,
        reasons.OUT_OF_WINDOW: F.lit(False) if window.is_whole else ~window.condition(F.col(c.SOLD_ON)),
        reasons.BAD_QUANTITY: _given(feed, c.QUANTITY) & F.col(c.QUANTITY).isNull(),
        reasons.ZERO_QUANTITY: F.col(c.QUANTITY) == 0,
        reasons.BAD_AMOUNT: _given(feed, c.AMOUNT) & F.col(c.AMOUNT).isNull(),
        reasons.NON_POSITIVE_AMOUNT: F.lit(policy == "reject") & (F.col(c.AMOUNT) <= 0) & is_sale,
    }
    tags = F.array(*(F.when(is_at_fault, F.lit(reason)) for reason, is_at_fault in sorted(faults.items())))
    is_bad = reduce(Column.__or__, (F.coalesce(is_at_fault, F.lit(False)) for is_at_fault in faults.values()))
    # Nothing else can be said of a row that was not understood.
    malformed = F.array(F.lit(reasons.MALFORMED_ROW))
    return F.when(F.col(CORRUPT).isNotNull(), malformed).when(is_bad, F.array_compact(tags))


def _raw(feed: Feed) -> Column:
    """The mapped values as JSON, the customer as its key.

    The text of a record that could not be parsed may hold personal data anywhere, so only its hash is kept:
    enough to find it again in the source.
    """
    unparsed = F.struct(F.sha2(F.col(CORRUPT), 256).alias("sha256"), F.length(CORRUPT).alias("characters"))
    values = (source_column(source).cast("string").alias(name) for name, source in feed.mapped.items())
    as_read = F.struct(*values, F.col(c.CUSTOMER_KEY))
    return F.when(F.col(CORRUPT).isNotNull(), F.to_json(unparsed)).otherwise(F.to_json(as_read))
