"""Returns: rows with a negative quantity, netted against what was bought before.

Goods go back last in, first out: a return takes its units from the latest sale that has units left.  Seen as a stack,
with a sale pushing its units and a return popping, all that is wanted follows from the height of the stack:
let C be the running sum of signed units and F the lowest that C has been (at most 0); then H = C - F is the height,
a return sinks F by the units that it could not pop, and of a sale those units are left that lie below the lowest
height that comes after it.  So windows are enough, and nothing is looped over.
"""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.places import is_return
from basketlens.clean.receipts import CONTENT
from basketlens.reasons import CANCELLED, RETURN_MATCHED, RETURN_UNMATCHED

LEFT: Final = "left"  # double, units of a sale that were kept, or of a return that met no sale
_DECIMALS: Final = 6  # of units: what is smaller is the noise of floating-point sums


def units() -> Column:
    """Units of a row, a return's too, without sign; a sale without a quantity is one unit."""
    return F.abs(F.coalesce(c.QUANTITY, F.lit(1.0)))


def with_netted(rows: DataFrame, *owner: Column, by_time: bool) -> DataFrame:
    """Net the returns of each owner and product against its sales; `left` is what stays of either.

    Args:
        rows: good rows with `left`, the units to net.
        owner: whose sales and returns belong together: a receipt or a customer.
        by_time: a return meets only earlier sales; else every sale of its owner, for a receipt names the sale.
    """
    key = [*owner, F.col(c.PRODUCT_ID), F.col(c.REASONS).isNull()]
    when = [F.asc_nulls_first(c.SOLD_AT)]
    first_sales = [is_return().asc()]
    order = [
        *(when + first_sales if by_time else first_sales + when),
        *(F.asc(name) for name in (c.BASKET_ID, c.QUANTITY, c.AMOUNT, CONTENT, c.SOURCE)),
    ]
    signed = F.when(is_return(), -F.col(LEFT)).otherwise(F.col(LEFT))
    steps = Window.partitionBy(*key).orderBy(*order)
    so_far = steps.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    from_here = (
        Window.partitionBy(*key)
        .orderBy(F.desc("step"))
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    stacked = (
        rows.withColumn("step", F.row_number().over(steps))  # tells twins apart when the order is turned
        .withColumn("sum", F.round(F.sum(signed).over(so_far), _DECIMALS))
        .withColumn("floor", F.least(F.lit(0.0), F.min("sum").over(so_far)))
        .withColumn("height", F.col("sum") - F.col("floor"))
        .withColumn("floor_before", F.lag("floor", 1, 0.0).over(steps))
        .withColumn("lowest", F.min("height").over(from_here))
    )
    unmet = F.col("floor_before") - F.col("floor")
    kept = F.least(F.col(LEFT), F.col("lowest") - (F.col("height") - F.col(LEFT)))
    left = F.round(F.greatest(F.lit(0.0), F.when(is_return(), unmet).otherwise(kept)), _DECIMALS)
    is_good = F.col(c.REASONS).isNull()
    return stacked.withColumn(LEFT, F.when(is_good, left).otherwise(F.col(LEFT))).drop(
        "step", "sum", "floor", "height", "floor_before", "lowest"
    )


def with_return_reasons(rows: DataFrame) -> DataFrame:
    """Say of every return whether it met a sale, and of every sale whether it was undone; both when in part."""
    matched = F.when(F.col(LEFT) < units(), F.lit(RETURN_MATCHED))
    unmatched = F.when(F.col(LEFT) > 0, F.lit(RETURN_UNMATCHED))
    reasons = (
        F.when(F.col(c.REASONS).isNotNull(), F.col(c.REASONS))
        .when(is_return(), F.array_compact(F.array(matched, unmatched)))
        .when(F.col(LEFT) == 0, F.array(F.lit(CANCELLED)))
    )
    return rows.withColumn(c.REASONS, reasons)
