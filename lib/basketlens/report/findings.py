"""Which associations the page shows: bounded selections, each in a total order."""

import math
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.report import strength
from basketlens.report.page import Finding


def one_direction(pairs: DataFrame, *, discount: float) -> DataFrame:
    """Each unordered pair once, in its better-placed direction."""
    ends = [F.least(c.ITEM_ID, c.NEIGHBOR_ID), F.greatest(c.ITEM_ID, c.NEIGHBOR_ID)]
    place = F.row_number().over(Window.partitionBy(*ends).orderBy(*strength.placement(discount), *_ids()))
    return pairs.withColumn("direction", place).filter(F.col("direction") == 1).drop("direction")


def counted(associations: DataFrame) -> DataFrame:
    """Pairs with basket counts, in both directions."""
    return associations.filter(F.col(c.N_AB).isNotNull())


def top(pairs: DataFrame, *, discount: float, rows: int) -> DataFrame:
    """The `rows` best pairs of `one_direction`.

    The order is that of `rank`.  Strength is shrunk, so 50 of 60 baskets do not outrank 500 of 650; the discount
    keeps what is in every basket, such as bananas, from leading every list.
    """
    return pairs.orderBy(*strength.placement(discount), *_ids()).limit(rows)


def substitutes(pairs: DataFrame, *, rows: int) -> DataFrame:
    """Similar names bought together less than chance, by the baskets that chance would add (n_a n_b / n - n_ab)."""
    expected = F.col(c.N_A).cast("double") * F.col(c.N_B) / F.col(c.N)
    shortfall = expected - F.col(c.N_AB)
    return pairs.filter(F.col(c.KIND) == strength.SUBSTITUTE).orderBy(shortfall.desc(), *_ids()).limit(rows)


def newcomers(associations: DataFrame, *, discount: float, rows: int) -> DataFrame:
    """What names say of items too rare to count: the best neighbour of each, by attention."""
    rare = associations.filter(
        F.col(c.N_A).isNull() & (F.col(c.RANK) == 1) & (F.col(c.KIND) == strength.TEXT_ONLY)
    )
    return top(one_direction(rare, discount=discount), discount=discount, rows=rows)


def plotted(pairs: DataFrame, *, rows: int) -> DataFrame:
    """Pairs for the plot: those with most baskets of each kind in turn, so that no kind crowds out another."""
    turn = F.row_number().over(Window.partitionBy(c.KIND).orderBy(F.col(c.N_AB).desc(), *_ids()))
    has_both = F.col(c.ATTENTION).isNotNull() & (F.col(c.LIFT) > 0)
    return pairs.filter(has_both).withColumn("turn", turn).orderBy("turn", c.KIND).limit(rows).drop("turn")


def as_findings(frame: pd.DataFrame, *, even: float | None) -> tuple[Finding, ...]:
    """Rows of `associations` as the page takes them.

    Args:
        frame: rows on the driver.
        even: attention that each item would get if names said nothing, 1 / (items - 1); None when there is none.
    """
    return tuple(_finding(row, even) for row in frame.to_dict("records"))


def _finding(row: dict[Any, Any], even: float | None) -> Finding:
    attention = number(row[c.ATTENTION])
    return Finding(
        item=str(row[c.ITEM_NAME]),
        neighbor=str(row[c.NEIGHBOR_NAME]),
        n_ab=whole(row[c.N_AB]),
        n_a=whole(row[c.N_A]),
        n_b=whole(row[c.N_B]),
        n=whole(row[c.N]),
        confidence=number(row[c.CONFIDENCE]),
        lift=number(row[c.LIFT]),
        score=number(row[c.SCORE]),
        multiple=attention / even if attention is not None and even else None,
        strength=float(row[c.STRENGTH]),
        kind=str(row[c.KIND]),
    )


def whole(value: Any) -> int | None:
    """A count from pandas, which turns null longs into NaN."""
    return None if pd.isna(value) else int(value)


def number(value: Any) -> float | None:
    """A measure from pandas, where null doubles are NaN."""
    return None if value is None or math.isnan(value) else float(value)


def _ids() -> list[Column]:
    return [F.col(c.ITEM_ID).asc(), F.col(c.NEIGHBOR_ID).asc()]
