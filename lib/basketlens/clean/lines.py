"""Receipt rows become lines (one per basket and product) and rejects (one per row)."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.returns import RETURN_MATCHED


def merged_lines(receipts: DataFrame) -> DataFrame:
    """One line per basket and product: quantities and amounts summed, matched returns taken off.

    `source_rows` counts the sale rows, so that rows in = sum(source_rows) + rejects.
    """
    is_sale = F.size(c.REASONS) == 0
    is_return = F.col(c.REASONS) == F.array(F.lit(RETURN_MATCHED))
    # A return's amount may be written with either sign.
    amount = F.when(is_return, -F.abs(c.AMOUNT)).otherwise(F.col(c.AMOUNT))
    # Floating-point sums depend on their order; a sorted list has only one.
    quantity = F.aggregate(F.array_sort(F.collect_list(c.QUANTITY)), F.lit(0.0), lambda total, q: total + q)
    return (
        receipts.filter(is_sale | is_return)
        .withColumn("signed", amount)
        .groupBy(c.BASKET_ID, c.PRODUCT_ID)
        .agg(
            F.min(c.CUSTOMER_KEY).alias(c.CUSTOMER_KEY),
            F.min(c.STORE_ID).alias(c.STORE_ID),
            F.min(c.SOLD_AT).alias(c.SOLD_AT),
            F.when(F.count(c.QUANTITY) > 0, quantity).alias(c.QUANTITY),
            F.expr("try_cast(sum(signed) AS DECIMAL(18,4))").alias(c.AMOUNT),
            F.sum(is_sale.cast("long")).alias(c.SOURCE_ROWS),
        )
        .filter(F.col(c.SOURCE_ROWS) > 0)
    )


def rejects_of(receipts: DataFrame, run_id: str) -> DataFrame:
    """Every row that is no line, with its reasons and what it said.

    Rows that only other rows made a reject (duplicates, returns) show their values after typing.
    """
    understood = F.to_json(
        F.struct(c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT)
    )
    raw = F.coalesce(c.RAW, understood)
    return receipts.filter(F.size(c.REASONS) > 0).select(
        c.SOURCE,
        F.sha2(raw, 256).alias(c.ROW_HASH),
        c.REASONS,
        raw.alias(c.RAW),
        F.lit(run_id).alias(c.RUN_ID),
    )
