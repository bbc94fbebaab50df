"""Receipt rows become lines (one per basket, product and day) and rejects (one per row)."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.returns import LEFT, units
from basketlens.windows import DayWindow

_LINE_COLUMNS = (
    c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT,
)  # fmt: skip


def single_lines(sales: DataFrame) -> DataFrame:
    """Sales that are alone on their receipt with their product: a line each, as they are."""
    return sales.select(*_LINE_COLUMNS, F.lit(1).cast("long").alias(c.SOURCE_ROWS), c.PROMOTION, c.SOLD_ON)


def merged_lines(sales: DataFrame) -> DataFrame:
    """One line per basket, product and day: the units that were kept, and their money.

    A returned unit is taken off at the price that it was sold at.

    Args:
        sales: good sales with `left`, the units that were not returned.
    """
    is_whole = F.col(LEFT) == units()
    quantity = F.when(is_whole, F.col(c.QUANTITY)).otherwise(F.col(LEFT))
    share = F.col(c.AMOUNT).cast("double") * F.col(LEFT) / units()
    amount = F.when(is_whole, F.col(c.AMOUNT)).otherwise(F.round(share, 4).cast("decimal(18,4)"))
    first = (F.min(name).alias(name) for name in (c.CUSTOMER_KEY, c.STORE_ID, c.SOLD_AT, c.PROMOTION))
    return (
        sales.withColumns({c.QUANTITY: quantity, c.AMOUNT: amount})
        .groupBy(c.BASKET_ID, c.PRODUCT_ID, c.SOLD_ON)
        .agg(
            *first,
            F.when(F.count(c.QUANTITY) > 0, _exact_sum(c.QUANTITY)).alias(c.QUANTITY),
            F.expr(f"try_cast(sum({c.AMOUNT}) AS DECIMAL(18,4))").alias(c.AMOUNT),
            F.count("*").alias(c.SOURCE_ROWS),
        )
        .select(*_LINE_COLUMNS, c.SOURCE_ROWS, c.PROMOTION, c.SOLD_ON)
    )


def _exact_sum(name: str) -> Column:
    """Floating-point sums depend on their order; a sorted list has only one."""
    return F.aggregate(F.array_sort(F.collect_list(name)), F.lit(0.0), lambda total, value: total + value)


def rejects_of(rows: DataFrame, run_id: str, window: DayWindow) -> DataFrame:
    """Every row that is no line, with its reasons and what it said.

    Rows that only other rows made a reject (duplicates, returns) show their values after typing.  The day is null
    for rows of no day of the run, which every run replaces.
    """
    understood = F.to_json(
        F.struct(
            c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT,
            c.LINE_ID, c.PROMOTION, c.RETURNED_BASKET_ID,
        )
    )  # fmt: skip
    raw = F.coalesce(c.RAW, understood)
    return rows.select(
        c.SOURCE,
        F.sha2(raw, 256).alias(c.ROW_HASH),
        c.REASONS,
        raw.alias(c.RAW),
        F.lit(run_id).alias(c.RUN_ID),
        F.when(window.condition(F.col(c.SOLD_ON)), F.col(c.SOLD_ON)).alias(c.SOLD_ON),
    )
