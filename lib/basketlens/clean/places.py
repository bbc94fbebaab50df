"""Rows that share a place (one product on one receipt): only they can be repeats, merge or net each other."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.receipts import CONTENT

KIND: Final = "kind"  # string: what is to be done with the row
PLACE: Final = "place"  # long, hash of the receipt and product; rows of one place are shared
MET: Final = "met"  # long, a hash that rows which may be repeats of each other share, while they are compared
SALE: Final = "sale"  # alone in its place: a line as it is
RETURN: Final = "return"  # alone in its place: nothing was bought there, perhaps elsewhere
SHARED: Final = "shared"  # others are in its place
REJECT: Final = "reject"  # has a reason of its own


def receipt() -> Column:
    """The basket in which the goods were bought: for a return, the one that it refers to if any."""
    return F.coalesce(F.when(is_return(), F.col(c.RETURNED_BASKET_ID)), F.col(c.BASKET_ID))


def is_return() -> Column:
    """Whether the row takes goods back."""
    return F.coalesce(F.col(c.QUANTITY) < 0, F.lit(False))


def with_kind(rows: DataFrame, *, has_line_ids: bool) -> DataFrame:
    """Bring the good rows of a place together, and say of each whether it is alone.

    Places are told apart by a 64-bit hash, which sorts far faster than two strings.  Where two places meet in one
    hash their rows count as shared, and the exact columns decide about them: nothing depends on the hash.
    Rejected rows are spread by their content, or they would all meet in one task.

    Args:
        rows: with reasons.
        has_line_ids: rows of one receipt with one line id share a place too.
    """
    is_good = F.col(c.REASONS).isNull()
    place = F.when(is_good, F.xxhash64(receipt(), c.PRODUCT_ID)).otherwise(F.col(CONTENT))
    placed = rows.withColumn(PLACE, place)
    is_alone = _is_alone(PLACE)
    if has_line_ids:
        line = F.xxhash64(receipt(), F.coalesce(c.LINE_ID, F.hex(CONTENT)))
        placed = (
            placed.withColumn("receipt", F.when(is_good, F.xxhash64(receipt())).otherwise(F.col(CONTENT)))
            .withColumn("line", F.when(is_good, line).otherwise(F.col(CONTENT)))
            .repartition("receipt")
        )
        is_alone = _is_alone("receipt", PLACE) & _is_alone("receipt", "line")
    kind = F.when(~is_good, REJECT).when(~is_alone, SHARED).when(is_return(), RETURN).otherwise(SALE)
    # No rule asks a lone sale for its hashes: they would be dead weight in most rows.  File and line id stay, for a
    # return on another receipt may yet make a reject of it.
    hashes = {name: F.when(F.col(KIND) != SALE, F.col(name)) for name in (CONTENT, PLACE)}
    return placed.withColumn(KIND, kind).withColumns(hashes).drop("receipt", "line")


def _is_alone(*place: str) -> Column:
    return F.count("*").over(Window.partitionBy(*place)) == 1
