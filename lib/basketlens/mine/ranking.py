"""The total order of rules: by any of their measures, then by how sure and how frequent they are, then by ids."""

import math
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c

LOW_IS_GOOD: Final = frozenset(
    {c.P_VALUE, c.LOG10_P, c.Q_VALUE, c.LOG10_Q, c.HOLM_P, c.LOG10_HOLM_P}
)  # of all other measures the largest is the best
NULL_IS_INFINITE: Final = frozenset({c.CONVICTION})  # of all other measures null means not known


def measures_in(schema: T.StructType) -> list[str]:
    """Columns that rules can be ranked by: the numbers."""
    return [field.name for field in schema if isinstance(field.dataType, T.NumericType)]


def badness(measure: str) -> Column:
    """A double that is least for the best rule, and infinite where the measure is null or NaN.

    Null is the best instead where it stands for infinity.
    """
    value = F.col(measure).cast("double")
    if measure in NULL_IS_INFINITE:
        value = F.coalesce(value, F.lit(math.inf))
    unknown = value.isNull() | F.isnan(value)
    return F.when(unknown, F.lit(math.inf)).otherwise(value if measure in LOW_IS_GOOD else -value)


def best_first(measure: str) -> tuple[Column, ...]:
    """What rules are sorted by, ascending; no two rules of a level are equal in all of it."""
    return (
        badness(measure),
        badness(c.CONFIDENCE),
        badness(c.N_AB),
        F.col(c.CONSEQUENT),
        F.col(c.ANTECEDENT),
    )
