"""Returns: rows with a negative quantity, netted against the sale of the same product on the same receipt."""

from typing import Final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.repeats import UNIT

RETURN_MATCHED: Final = "return_matched"  # netted: the line's quantity and amount are lower by it
RETURN_UNMATCHED: Final = "return_unmatched"  # no sale of it on this receipt
CANCELLED: Final = "cancelled"  # a sale that returns on the same receipt undid wholly


def with_returns(rows: DataFrame) -> DataFrame:
    """Say of every return whether it met its sale, and of every sale whether it was undone."""
    is_good = F.size(c.REASONS) == 0
    quantity = F.when(is_good, F.col(c.QUANTITY)).otherwise(0.0)
    group = Window.partitionBy(UNIT, c.PRODUCT_ID)
    marked = rows.withColumn("sold", F.sum(F.greatest(quantity, F.lit(0.0))).over(group)).withColumn(
        "returned", -F.sum(F.least(quantity, F.lit(0.0))).over(group)
    )
    is_return = is_good & (F.col(c.QUANTITY) < 0)
    is_undone = is_good & (F.col("sold") > 0) & (F.col("returned") >= F.col("sold"))
    reason = (
        F.when(is_return & (F.col("sold") > 0), RETURN_MATCHED)
        .when(is_return, RETURN_UNMATCHED)
        .when(is_undone, CANCELLED)
    )
    reasons = F.when(reason.isNotNull(), F.array(reason)).otherwise(F.col(c.REASONS))
    return marked.withColumn(c.REASONS, reasons).drop("sold", "returned")
