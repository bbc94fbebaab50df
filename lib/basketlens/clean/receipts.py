"""Receipt rows in our types, each with every reason why it is no line by itself.

Reasons that need other rows (duplicates, returns) are added by `repeats.py` and `returns.py`.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean import reasons
from basketlens.clean.mapping import blank_to_null, number, sold_at, text
from basketlens.formats import CORRUPT
from basketlens.settings import CleanSettings, InputSettings
from basketlens.source_columns import source_column
from basketlens.windows import DayWindow

CONTENT: Final = "content"  # long, hash of the mapped values: equal for equal rows
IS_UNKNOWN: Final = "is_unknown"  # boolean, the row has a product id that the catalogue does not have
_VALUES: Final = "values"  # struct of strings, the mapped values as read
_HAS_TIME: Final = "has_time"  # boolean, the row's source has times of sale at all
FROM_RETURNS: Final = "from_returns"  # boolean, the row came from `input.returns`
_HELD_BACK: Final = (c.CUSTOMER_ID,)  # personal: only its key goes on
_MONEY: Final = "DECIMAL(18,4)"
_LARGEST: Final = 1e14  # of decimal(18,4)


class Feed(NamedTuple):
    """One source of receipt rows: the log itself, or a feed of returns."""

    rows: DataFrame  # source rows that already have `customer_key`
    mapped: Mapping[str, str]  # our name -> source column
    is_returns: bool  # every row is a return, whatever the sign of its quantity


def typed(feed: Feed, given: InputSettings, clean: CleanSettings) -> DataFrame:
    """Rows with our columns and types, the mapped values as they were, and a hash of them.

    All feeds get the same columns, so that they can be put together.
    """
    rows, mapped = feed.rows, feed.mapped
    names = [name for name, source in mapped.items() if source and name not in _HELD_BACK]
    values = [source_column(mapped[name]).cast("string").alias(name) for name in names]
    every_name = sorted({*clean.columns, *clean.return_columns} - set(_HELD_BACK))
    as_read = dict(zip(names, values, strict=True))
    kept = [as_read.get(name, F.lit(None).cast("string").alias(name)) for name in every_name]
    when = _sold_at(rows, mapped, given)
    # The basket of a row in a feed of returns is the one that the goods were bought in.
    bought_in = c.BASKET_ID if feed.is_returns else c.RETURNED_BASKET_ID
    return rows.select(
        c.SOURCE,
        c.CUSTOMER_KEY,
        CORRUPT,
        *(
            text(rows, mapped, name).alias(name)
            for name in (c.BASKET_ID, c.PRODUCT_ID, c.STORE_ID, c.LINE_ID, c.PROMOTION)
        ),
        text(rows, mapped, bought_in).alias(c.RETURNED_BASKET_ID),
        when.alias(c.SOLD_AT),
        _day(when, given.time_zone).alias(c.SOLD_ON),
        _quantity(feed, given).alias(c.QUANTITY),
        _amount(feed, given).alias(c.AMOUNT),
        *(_given(mapped, name).alias(f"given_{name}") for name in (c.QUANTITY, c.AMOUNT)),
        F.lit(bool(mapped.get(c.SOLD_AT))).alias(_HAS_TIME),
        F.lit(feed.is_returns).alias(FROM_RETURNS),
        F.struct(*kept, F.col(c.CUSTOMER_KEY)).alias(_VALUES),
        _hash(F.lit(feed.is_returns), *values, F.col(c.CUSTOMER_KEY), F.col(CORRUPT)).alias(CONTENT),
    ).transform(_with_sign, clean.non_positive_amount)


def _hash(*values: Column) -> Column:
    """Spark's hash passes over nulls, so that ("1", null) would equal (null, "1"): a mark stands for them."""
    return F.xxhash64(*(F.coalesce(value.cast("string"), F.lit("\x00")) for value in values))


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
    return F.when(_given(feed.mapped, c.QUANTITY), -F.abs(units)).otherwise(-1.0)


def _amount(feed: Feed, given: InputSettings) -> Column:
    """Money of the line: given, or price times quantity."""
    if amount := feed.mapped.get(c.AMOUNT):
        return number(feed.rows, amount, _MONEY, given)
    if price := feed.mapped.get(c.UNIT_PRICE):
        money = number(feed.rows, price, "DOUBLE", given) * _quantity(feed, given)
        # A product too large for the type is no amount: null here, `bad_amount` in `with_reasons`.
        return F.when(F.abs(money) < _LARGEST, F.round(money, 4)).cast("decimal(18,4)")
    return F.lit(None).cast("decimal(18,4)")


def _with_sign(rows: DataFrame, policy: str) -> DataFrame:
    """Where the log writes returns as negative money, their quantity becomes negative too."""
    if policy != "return":
        return rows
    is_return = (F.col(c.AMOUNT) < 0) & (F.coalesce(c.QUANTITY, F.lit(1.0)) > 0)
    negative = -F.coalesce(c.QUANTITY, F.lit(1.0))
    return rows.withColumn(c.QUANTITY, F.when(is_return, negative).otherwise(F.col(c.QUANTITY)))


def _given(mapped: Mapping[str, str], name: str) -> Column:
    """Whether the source has a value there, readable or not."""
    source = mapped.get(name) or (mapped.get(c.UNIT_PRICE) if name == c.AMOUNT else "")
    return blank_to_null(source_column(source).cast("string")).isNotNull() if source else F.lit(False)


def with_reasons(rows: DataFrame, products: DataFrame, window: DayWindow, policy: str) -> DataFrame:
    """Add `reasons`, sorted, null for a good row; and whether the product is one that the catalogue has.

    Args:
        rows: from `typed`.
        products: the `products` table; a product that is not in it has no name.
        window: days of the run.
        policy: `clean.non_positive_amount`.
    """
    known = products.select(
        c.PRODUCT_ID,
        F.col(c.PRODUCT_NAME).isNotNull().alias("is_named"),
        c.IS_MERCHANDISE,
        F.lit(True).alias("is_known"),
    )
    # Broadcast when the catalogue's ids are few enough for Spark's threshold; else both sides are sorted.
    joined = rows.join(known, c.PRODUCT_ID, "left")
    is_malformed, no_time = F.col(CORRUPT).isNotNull(), F.col(c.SOLD_AT).isNull()
    no_receipt = F.when(
        F.col(FROM_RETURNS), F.col(c.RETURNED_BASKET_ID).isNull() & F.col(c.CUSTOMER_KEY).isNull()
    ).otherwise(F.col(c.BASKET_ID).isNull())
    has_product, is_named = F.col(c.PRODUCT_ID).isNotNull(), F.coalesce("is_named", F.lit(False))
    is_free = F.lit(policy == "reject") & (F.col(c.AMOUNT) <= 0) & (F.coalesce(c.QUANTITY, F.lit(1.0)) >= 0)
    outside = F.lit(False) if window.is_whole else ~window.condition(F.col(c.SOLD_ON))
    faults = {
        reasons.MISSING_BASKET: no_receipt,
        reasons.MISSING_PRODUCT: ~has_product,
        reasons.MISSING_NAME: has_product & ~is_named,
        reasons.NON_MERCHANDISE: ~F.coalesce(c.IS_MERCHANDISE, F.lit(True)),
        reasons.BAD_TIMESTAMP: no_time & F.col(_HAS_TIME),
        reasons.OUT_OF_WINDOW: outside,
        reasons.BAD_QUANTITY: F.col("given_quantity") & F.col(c.QUANTITY).isNull(),
        reasons.ZERO_QUANTITY: F.col(c.QUANTITY) == 0,
        reasons.BAD_AMOUNT: F.col("given_amount") & F.col(c.AMOUNT).isNull(),
        reasons.NON_POSITIVE_AMOUNT: is_free,
    }
    tags = F.array(*(F.when(is_at_fault, F.lit(reason)) for reason, is_at_fault in sorted(faults.items())))
    is_good = ~_any_of(faults.values())
    # Nothing else can be said of a row that was not understood.
    found = (
        F.when(is_malformed, F.array(F.lit(reasons.MALFORMED_ROW)))
        .when(is_good, F.lit(None))
        .otherwise(F.array_compact(tags))
    )
    is_unknown = ~is_malformed & has_product & F.col("is_known").isNull()
    return joined.withColumn(c.REASONS, found).withColumn(IS_UNKNOWN, is_unknown).transform(_with_raw)


def _any_of(conditions: Iterable[Column]) -> Column:
    """Whether any holds; null counts as no."""
    return reduce(Column.__or__, (F.coalesce(condition, F.lit(False)) for condition in conditions))


def _with_raw(rows: DataFrame) -> DataFrame:
    """Add `raw` to rejected rows; good rows need none, and would carry it through every shuffle.

    The text of a record that could not be parsed may hold personal data anywhere, so only its hash is kept:
    enough to find it again in the source.
    """
    unparsed = F.struct(F.sha2(F.col(CORRUPT), 256).alias("sha256"), F.length(CORRUPT).alias("characters"))
    raw = F.when(F.col(CORRUPT).isNotNull(), F.to_json(unparsed)).otherwise(F.to_json(_VALUES))
    return rows.withColumn(c.RAW, F.when(F.col(c.REASONS).isNotNull(), raw)).drop(_VALUES)
