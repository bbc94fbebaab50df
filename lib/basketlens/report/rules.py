"""Which rules the page shows: the best of those that say more than chance, and more than a shorter rule."""

from typing import Final

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.report.findings import number, whole
from basketlens.report.page import Rule, RuleCounts

HIGHEST_Q: Final = 0.05  # with a higher share of false rules among its like a rule is no finding
STATUSES: Final = ("born", "died", "moved", "stable")  # of `rule_drift`
_SIDES: Final = (c.ANTECEDENT, c.CONSEQUENT)
_SHOWN: Final = (
    *_SIDES, c.N_AB, c.N_A, c.CONFIDENCE, c.LIFT, c.LIFT_LOW, c.LIFT_HIGH, c.LOG10_Q, c.CUSTOMERS, c.HOLDOUT_LIFT,
    c.EXTRA_REVENUE,
)  # fmt: skip


def best(rules: DataFrame, *, level: str, rows: int) -> DataFrame:
    """The `rows` best findings of a level, in `placement`, which is total.

    Of several rules between the same items the best one stands for all: the others say the same the other way round.
    """
    findings = rules.filter((F.col(c.LEVEL) == level) & _says_more() & _is_certain()).select(*_SHOWN)
    items = F.array_sort(F.concat(*_SIDES))
    turn = F.row_number().over(Window.partitionBy(items).orderBy(*placement()))
    once = findings.withColumn("turn", turn).filter(F.col("turn") == 1).drop("turn")
    return once.orderBy(*placement()).limit(rows)


def placement() -> list[Column]:
    """Most extra revenue first; without amounts, or where it is equal, the highest lower end of lift; then ids."""
    ends = [F.col(name).desc_nulls_last() for name in (c.EXTRA_REVENUE, c.LIFT_LOW)]
    return [*ends, *(F.col(side).asc() for side in _SIDES)]


def with_names(chosen: DataFrame, items: DataFrame, *, level: str) -> DataFrame:
    """Few rules of `best` with names in place of ids, in the same order; an item without a name keeps its id."""
    sides = chosen.select("*", F.posexplode(F.concat(*_SIDES)).alias("at", c.ITEM_ID))
    names = items.filter(F.col(c.LEVEL) == level).select(c.ITEM_ID, c.ITEM_NAME)
    name = F.struct("at", F.coalesce(c.ITEM_NAME, c.ITEM_ID).alias("name"))
    named = (
        sides.join(names, c.ITEM_ID, "left")
        .groupBy(*_SHOWN)
        .agg(F.sort_array(F.collect_list(name)).alias("names"))
    )
    left = F.size(c.ANTECEDENT)
    return named.orderBy(*placement()).select(
        F.slice("names.name", F.lit(1), left).alias(c.ANTECEDENT),
        F.slice("names.name", left + 1, F.size(c.CONSEQUENT)).alias(c.CONSEQUENT),
        *_SHOWN[len(_SIDES) :],
    )


def counts(rules: DataFrame, drift: DataFrame | None, *, level: str) -> DataFrame:
    """One row with a column for each field of `RuleCounts`.

    Args:
        rules: of any levels.
        drift: `rule_drift`; None when it does not belong to these rules.
        level: the one that is counted.
    """
    here = rules.filter(F.col(c.LEVEL) == level).agg(
        F.count("*").alias("rules"),
        F.count_if(~_says_more()).alias("redundant"),
        F.count_if(_says_more() & ~_is_certain()).alias("uncertain"),
        F.count(c.HOLDOUT_LIFT).alias("held_out"),
    )
    if drift is None:
        return here.select("*", *(F.lit(0).cast("long").alias(status) for status in STATUSES))
    moves = drift.filter(F.col(c.LEVEL) == level)
    return here.crossJoin(
        moves.agg(*(F.count_if(F.col(c.STATUS) == status).alias(status) for status in STATUSES))
    )


def as_rules(frame: pd.DataFrame) -> tuple[Rule, ...]:
    """Rows of `with_names` as the page takes them."""
    return tuple(
        Rule(
            antecedent=tuple(map(str, row[c.ANTECEDENT])),
            consequent=tuple(map(str, row[c.CONSEQUENT])),
            n_ab=int(row[c.N_AB]),
            n_a=int(row[c.N_A]),
            confidence=float(row[c.CONFIDENCE]),
            lift=float(row[c.LIFT]),
            lift_low=number(row[c.LIFT_LOW]),
            lift_high=number(row[c.LIFT_HIGH]),
            log10_q=number(row[c.LOG10_Q]),
            customers=whole(row[c.CUSTOMERS]),
            holdout_lift=number(row[c.HOLDOUT_LIFT]),
            extra_revenue=number(row[c.EXTRA_REVENUE]),
        )
        for row in frame.to_dict("records")
    )


def as_counts(frame: pd.DataFrame) -> RuleCounts:
    """The row of `counts` as the page takes it."""
    return RuleCounts(**{str(name): int(value) for name, value in frame.iloc[0].items()})


def _says_more() -> Column:
    """More than a shorter rule; a user's own table need not say."""
    return ~F.coalesce(c.IS_REDUNDANT, F.lit(False))


def _is_certain() -> Column:
    """Never null, so that what is not certain can be counted."""
    return F.coalesce(F.col(c.Q_VALUE) <= HIGHEST_Q, F.lit(False))
