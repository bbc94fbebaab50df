"""Re-delivered rows: the same receipt line that came in more than one file, or twice under one line id."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.receipts import CONTENT

DUPLICATE: Final = "duplicate"
UNIT: Final = "unit"  # string: the basket of a good row; a group of its own kind for a rejected one


def with_unit(rows: DataFrame) -> DataFrame:
    """Bring the good rows of one basket and product together; every later step works inside these groups.

    Rejected rows would meet in the group of the empty basket, so they are spread by their content instead.
    """
    is_good = F.size(c.REASONS) == 0
    unit = F.when(is_good, F.col(c.BASKET_ID)).otherwise(F.concat(F.lit("\x00"), F.hex(CONTENT)))
    return rows.withColumn(UNIT, unit).repartition(UNIT, c.PRODUCT_ID)


def with_repeated_line_ids(rows: DataFrame) -> DataFrame:
    """Of the good rows with one line id, the first by time, source and content stays."""
    is_good = (F.size(c.REASONS) == 0) & F.col(c.LINE_ID).isNotNull()
    key = F.when(is_good, F.col(c.LINE_ID)).otherwise(F.concat(F.lit("\x00"), F.hex(CONTENT)))
    order = [F.asc_nulls_last(c.SOLD_AT), F.asc(c.SOURCE), F.asc(CONTENT)]
    place = F.row_number().over(Window.partitionBy("line_key").orderBy(*order))
    marked = rows.withColumn("line_key", key).withColumn("place", place)
    return _rejected(marked, is_good & (F.col("place") > 1)).drop("line_key", "place")


def with_repeated_rows(rows: DataFrame) -> DataFrame:
    """Of rows equal in every mapped value, those of one file stay: the file with most of them, then the last by name.

    Equal rows inside one file are two units of one product at the till, not a repeat.
    """
    same = [UNIT, c.PRODUCT_ID, CONTENT]
    copies = F.count("*").over(Window.partitionBy(*same, c.SOURCE))
    kept = F.max(F.struct("copies", c.SOURCE)).over(Window.partitionBy(*same))
    marked = rows.withColumn("copies", copies).withColumn("kept", kept)
    is_repeat = (F.size(c.REASONS) == 0) & (F.col(c.SOURCE) != F.col("kept")[c.SOURCE])
    return _rejected(marked, is_repeat).drop("copies", "kept")


def _rejected(rows: DataFrame, is_repeat: Column) -> DataFrame:
    return rows.withColumn(
        c.REASONS, F.when(is_repeat, F.array(F.lit(DUPLICATE))).otherwise(F.col(c.REASONS))
    )
