"""What to offer beside an item, with the evidence in words."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas

_SUBSTITUTE: Final = "substitute"  # kinds of `associations`
_BASKET_ONLY: Final = "basket_only"
_MULTIPLE: Final = "multiple"  # double, attention as a multiple of an even share


def cross_sell(associations: DataFrame, *, companions: int) -> DataFrame:
    """The best `companions` companions of each item, in the order of `associations.rank`, ranked 1..k without gaps.

    Substitutes are left out: a companion is bought with the item, not in its place.  An item all of whose
    associations are substitutes has no row; every other item of `associations` has one.
    """
    offered = associations.filter(F.col(c.KIND) != _SUBSTITUTE)
    order = Window.partitionBy(c.ITEM_ID).orderBy(F.col(c.RANK), F.col(c.NEIGHBOR_ID))
    best = offered.withColumn(c.RANK, F.row_number().over(order)).filter(F.col(c.RANK) <= companions)
    return (
        best.crossJoin(F.broadcast(even_attention(associations)))
        .withColumn(_MULTIPLE, F.col(c.ATTENTION) / F.col("even"))
        .withColumn(c.EVIDENCE, evidence())
        .withColumnRenamed(c.NEIGHBOR_ID, c.COMPANION_ID)
        .withColumnRenamed(c.NEIGHBOR_NAME, c.COMPANION_NAME)
        .transform(schemas.conform, schemas.CROSS_SELL, table="cross_sell")
    )


def even_attention(associations: DataFrame) -> DataFrame:
    """One row, even: the attention of each item if names said nothing, 1 / (items - 1); null below two items.

    The items with attention are those with a neighbour by name; whoever is `basket_only` throughout has none.
    """
    linked = associations.filter(F.col(c.KIND) != _BASKET_ONLY)
    others = F.count_distinct(c.ITEM_ID) - 1
    return linked.agg(F.when(others > 0, 1 / others).alias("even"))


def evidence() -> Column:
    """One sentence for people, of counts and of names.

    Such as `bought together in 321 of 1,234 baskets (26%), 5.1 times chance; names related 1.02 times even`, where
    1 times even means that the names say nothing; without attention it ends after the counts.
    """
    together = F.concat(
        F.lit("bought together in "), _whole(c.N_AB), F.lit(" of "), _whole(c.N_A), F.lit(" baskets ("),
        _percent(F.col(c.CONFIDENCE)), F.lit("), "), _times(F.col(c.LIFT)), F.lit(" times chance"),
    )  # fmt: skip
    are_both_counted = F.col(c.N_A).isNotNull() & F.col(c.N_B).isNotNull()
    counts = (
        F.when(F.col(c.N_AB).isNotNull(), together)
        .when(are_both_counted, "too few baskets together to count")
        .otherwise("no counts yet")
    )
    names = F.concat(F.lit("names related "), F.format_number(_MULTIPLE, 2), F.lit(" times even"))
    return F.concat_ws("; ", counts, names)


def _whole(column: str) -> Column:
    return F.format_number(column, 0)


def _percent(share: Column) -> Column:
    """26%, 2.6% or 0.26%."""
    return F.concat(_digits(share * 100, none_from=10), F.lit("%"))


def _times(factor: Column) -> Column:
    """1,234, 5.1 or 0.04."""
    return _digits(factor, none_from=100)


def _digits(number: Column, *, none_from: int) -> Column:
    """No digits after the point from `none_from` on, one from 1 on, else two."""
    none, one, two = (F.format_number(number, digits) for digits in (0, 1, 2))
    return F.when(number >= none_from, none).when(number >= 1, one).otherwise(two)
