"""The best rules of each level, and no more."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens.errors import SettingsError
from basketlens.mine.ranking import best_first, measures_in


def check_measure(measure: str, schema: T.StructType) -> None:
    """Refuse to rank by what is no measure of rules, before anything is mined.

    Raises:
        SettingsError: `mine.rank_by` names no numeric column.
    """
    if measure not in (known := measures_in(schema)):
        raise SettingsError(
            f"mine.rank_by = '{measure}' names no measure of rules.\n  Measures: {', '.join(known)}"
        )


def top_rules(rules: DataFrame, levels: Sequence[str], *, n: int, by: str) -> DataFrame:
    """The best `n` rules of each level; all of them when `n` is 0.

    The order is `ranking.best_first`, so ties are cut the same way however the rules are partitioned.  Every
    task keeps its best `n` of a level, and one task merges these: memory grows with `n`, not with the rules.

    Args:
        rules: of any levels, read once per level.
        levels: those to keep.
        n: rules of a level, 0 or more.
        by: a numeric column of `rules`.
    """
    if not n:
        return rules
    best = [rules.filter(F.col(c.LEVEL) == level).orderBy(*best_first(by)).limit(n) for level in levels]
    return reduce(DataFrame.unionByName, best)
