"""Re-delivered rows: the same receipt line that came in more than one file, or twice under one line id."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.places import MET, PLACE, receipt
from basketlens.clean.receipts import CONTENT
from basketlens.reasons import DUPLICATE


def with_repeated_line_ids(rows: DataFrame) -> DataFrame:
    """Of the rows of one receipt with one line id, the first by time, file, product, quantity, amount stays."""
    has_id = F.col(c.LINE_ID).isNotNull()
    key = [F.col(MET), receipt(), F.col(c.BASKET_ID), F.coalesce(c.LINE_ID, F.hex(CONTENT)), has_id]
    order = [F.asc(name) for name in (c.SOLD_AT, c.SOURCE, c.PRODUCT_ID, c.QUANTITY, c.AMOUNT, CONTENT)]
    place = F.row_number().over(Window.partitionBy(*key).orderBy(*order))
    return _rejected(rows.withColumn("turn", place), has_id & (F.col("turn") > 1)).drop("turn")


def with_repeated_rows(rows: DataFrame, *, everywhere: bool) -> DataFrame:
    """Of rows equal in every mapped value, those of one file stay: the file with most of them, then the last by name.

    Equal rows inside one file are two units of one product at the till, not a repeat, unless repeats are looked for
    `everywhere`: then one row stays.
    """
    same = [
        F.col(MET),
        F.col(PLACE),
        receipt(),
        F.col(c.PRODUCT_ID),
        F.col(CONTENT),
        F.col(c.REASONS).isNull(),
    ]
    order = Window.partitionBy(*same).orderBy(F.desc("copies"), F.desc(c.SOURCE))
    copies = F.count("*").over(Window.partitionBy(*same, F.col(c.SOURCE)))
    marked = rows.withColumn("copies", copies).withColumn(
        "turn", (F.row_number() if everywhere else F.rank()).over(order)
    )
    return _rejected(marked, F.col("turn") > 1).drop("copies", "turn")


def _rejected(rows: DataFrame, is_repeat: Column) -> DataFrame:
    is_new = F.col(c.REASONS).isNull() & is_repeat
    return rows.withColumn(c.REASONS, F.when(is_new, F.array(F.lit(DUPLICATE))).otherwise(F.col(c.REASONS)))
