"""Receipt rows in our types, each with every reason why it is no line by itself.

Reasons that need other rows (duplicates, returns) are added by `repeats.py` and `returns.py`.
"""

from collections.abc import Mapping
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.mapping import blank_to_null, number, sold_at, text
from basketlens.formats import CORRUPT
from basketlens.settings import InputSettings
from basketlens.source_columns import source_column

MALFORMED_ROW: Final = "malformed_row"
MISSING_BASKET: Final = "missing_basket"
MISSING_PRODUCT: Final = "missing_product"
MISSING_NAME: Final = "missing_name"
NON_MERCHANDISE: Final = "non_merchandise"
BAD_TIMESTAMP: Final = "bad_timestamp"
BAD_QUANTITY: Final = "bad_quantity"
ZERO_QUANTITY: Final = "zero_quantity"
BAD_AMOUNT: Final = "bad_amount"

CONTENT: Final = "content"  # long, hash of the mapped values: equal for equal rows
_VALUES: Final = "values"  # struct of strings, the mapped values as read
_HELD_BACK: Final = (c.CUSTOMER_ID,)  # personal: only its key goes on
_MONEY: Final = "DECIMAL(18,4)"
_LARGEST: Final = 1e14  # of decimal(18,4)


def typed(rows: DataFrame, mapped: Mapping[str, str], given: InputSettings) -> DataFrame:
    """Rows with our columns and types, the mapped values as they were, and a hash of them.

    Args:
        rows: source rows that already have `customer_key`.
        mapped: our name -> source column.
        given: `[input]`.
    """
    names = [name for name, source in mapped.items() if source and name not in _HELD_BACK]
    values = [source_column(mapped[name]).cast("string").alias(name) for name in names]
    return rows.select(
        c.SOURCE,
        c.CUSTOMER_KEY,
        CORRUPT,
        *(
            text(rows, mapped, name).alias(name)
            for name in (c.BASKET_ID, c.PRODUCT_ID, c.STORE_ID, c.LINE_ID)
        ),
        _sold_at(rows, mapped, given).alias(c.SOLD_AT),
        _quantity(rows, mapped, given).alias(c.QUANTITY),
        _amount(rows, mapped, given).alias(c.AMOUNT),
        *(_given(mapped, name).alias(f"given_{name}") for name in (c.QUANTITY, c.AMOUNT)),
        F.struct(*values, F.col(c.CUSTOMER_KEY)).alias(_VALUES),
        F.xxhash64(*values, F.col(c.CUSTOMER_KEY), F.col(CORRUPT)).alias(CONTENT),
    )


def _sold_at(rows: DataFrame, mapped: Mapping[str, str], given: InputSettings) -> Column:
    source = mapped.get(c.SOLD_AT)
    return sold_at(rows, source, given) if source else F.lit(None).cast("timestamp")


def _quantity(rows: DataFrame, mapped: Mapping[str, str], given: InputSettings) -> Column:
    """Units; 1 where the source counts none, for then a row is a unit.  NaN and infinity are no quantities."""
    source = mapped.get(c.QUANTITY)
    if not source:
        return F.lit(1.0)
    value = number(rows, source, "DOUBLE", given)
    return F.when(F.abs(value) < F.lit(float("inf")), value)  # NaN counts as above infinity in Spark


def _amount(rows: DataFrame, mapped: Mapping[str, str], given: InputSettings) -> Column:
    """Money of the line: given, or price times quantity."""
    if mapped.get(c.AMOUNT):
        return number(rows, mapped[c.AMOUNT], _MONEY, given)
    if mapped.get(c.UNIT_PRICE):
        money = number(rows, mapped[c.UNIT_PRICE], "DOUBLE", given) * _quantity(rows, mapped, given)
        # A product too large for the type is no amount: null here, `bad_amount` in `with_reasons`.
        return F.when(F.abs(money) < _LARGEST, F.round(money, 4)).cast("decimal(18,4)")
    return F.lit(None).cast("decimal(18,4)")


def _given(mapped: Mapping[str, str], name: str) -> Column:
    """Whether the source has a value there, readable or not."""
    source = mapped.get(name) or (mapped.get(c.UNIT_PRICE) if name == c.AMOUNT else "")
    return blank_to_null(source_column(source).cast("string")).isNotNull() if source else F.lit(False)


def with_reasons(rows: DataFrame, products: DataFrame, *, has_times: bool) -> DataFrame:
    """Add `reasons`, sorted and empty for a good row; unknown products are products without a name.

    Args:
        rows: from `typed`.
        products: the `products` table.
        has_times: whether the source has times of sale at all; then a row without one is bad.
    """
    known = products.select(
        c.PRODUCT_ID, F.col(c.PRODUCT_NAME).isNotNull().alias("is_named"), c.IS_MERCHANDISE
    )
    joined = rows.join(known, c.PRODUCT_ID, "left")
    is_malformed = F.col(CORRUPT).isNotNull()
    no_time = F.col(c.SOLD_AT).isNull()
    faults = {
        MISSING_BASKET: F.col(c.BASKET_ID).isNull(),
        MISSING_PRODUCT: F.col(c.PRODUCT_ID).isNull(),
        MISSING_NAME: F.col(c.PRODUCT_ID).isNotNull() & ~F.coalesce("is_named", F.lit(False)),
        NON_MERCHANDISE: ~F.coalesce(c.IS_MERCHANDISE, F.lit(True)),
        BAD_TIMESTAMP: no_time if has_times else F.lit(False),
        BAD_QUANTITY: F.col("given_quantity") & F.col(c.QUANTITY).isNull(),
        ZERO_QUANTITY: F.coalesce(F.col(c.QUANTITY) == 0, F.lit(False)),
        BAD_AMOUNT: F.col("given_amount") & F.col(c.AMOUNT).isNull(),
    }
    tags = F.array(*(F.when(is_at_fault, F.lit(reason)) for reason, is_at_fault in sorted(faults.items())))
    # Nothing else can be said of a row that was not understood.
    reasons = F.when(is_malformed, F.array(F.lit(MALFORMED_ROW))).otherwise(F.array_compact(tags))
    return joined.withColumn(c.REASONS, reasons).transform(_with_raw)


def _with_raw(rows: DataFrame) -> DataFrame:
    """Add `raw` to rejected rows; good rows need none, and would carry it through every shuffle.

    The text of a record that could not be parsed may hold personal data anywhere, so only its hash is kept:
    enough to find it again in the source.
    """
    unparsed = F.struct(F.sha2(F.col(CORRUPT), 256).alias("sha256"), F.length(CORRUPT).alias("characters"))
    raw = F.when(F.col(CORRUPT).isNotNull(), F.to_json(unparsed)).otherwise(F.to_json(_VALUES))
    return rows.withColumn(c.RAW, F.when(F.size(c.REASONS) > 0, raw)).drop(_VALUES)
