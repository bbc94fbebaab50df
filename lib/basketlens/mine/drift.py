"""The table `rule_drift`: which rules were born, died or moved since an earlier run."""

from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c

BORN: Final = "born"  # not in the earlier table
DIED: Final = "died"  # not in the new one
MOVED: Final = "moved"  # in both, and the confidence differs by more than chance explains
STABLE: Final = "stable"  # in both

_KEYS: Final = (c.LEVEL, c.ANTECEDENT, c.CONSEQUENT)
_COUNTS: Final = {  # count -> its columns before and after
    c.N_AB: (c.N_AB_BEFORE, c.N_AB_AFTER),
    c.N_A: (c.N_A_BEFORE, c.N_A_AFTER),
    c.N_B: (c.N_B_BEFORE, c.N_B_AFTER),
    c.N: (c.N_BEFORE, c.N_AFTER),
}


def compared_rules(before: DataFrame, after: DataFrame) -> DataFrame:
    """Every rule of either table once, with its measures then and now and a test of the difference.

    A table of rules holds what passed the thresholds of its run: a rule that is not in it may still be there, a
    little below.  So a rule in one table alone has no test.

    Args:
        before: level, antecedent, consequent, n_ab, n_a, n_b, n; each rule once.
        after: the same.

    Returns:
        The columns of the contract, without `status`.
    """
    old, new = (
        rules.select(*_KEYS, *(F.col(name).alias(names[at]) for name, names in _COUNTS.items()))
        for at, rules in enumerate((before, after))
    )
    return (
        old.join(new, list(_KEYS), "full")
        .withColumn(c.SUPPORT_BEFORE, F.col(c.N_AB_BEFORE) / F.col(c.N_BEFORE))
        .withColumn(c.SUPPORT_AFTER, F.col(c.N_AB_AFTER) / F.col(c.N_AFTER))
        .withColumn(c.CONFIDENCE_BEFORE, F.col(c.N_AB_BEFORE) / F.col(c.N_A_BEFORE))
        .withColumn(c.CONFIDENCE_AFTER, F.col(c.N_AB_AFTER) / F.col(c.N_A_AFTER))
        .withColumn(c.LIFT_BEFORE, F.col(c.CONFIDENCE_BEFORE) / (F.col(c.N_B_BEFORE) / F.col(c.N_BEFORE)))
        .withColumn(c.LIFT_AFTER, F.col(c.CONFIDENCE_AFTER) / (F.col(c.N_B_AFTER) / F.col(c.N_AFTER)))
        .withColumn(c.Z, two_proportions(c.N_AB_BEFORE, c.N_A_BEFORE, c.N_AB_AFTER, c.N_A_AFTER))
        .withColumn(c.P_VALUE, two_sided(c.Z))
        .withColumn(c.SUPPORT_Z, two_proportions(c.N_AB_BEFORE, c.N_BEFORE, c.N_AB_AFTER, c.N_AFTER))
        .withColumn(c.SUPPORT_P_VALUE, two_sided(c.SUPPORT_Z))
    )


def is_in_both() -> Column:
    """Of `compared_rules`: the rule was found then and now."""
    return F.col(c.N_BEFORE).isNotNull() & F.col(c.N_AFTER).isNotNull()


def with_status(compared: DataFrame, *, tests: int, alpha: float) -> DataFrame:
    """Add status.

    With as many tests as there are rules some p values are small by chance.  A rule has moved when p is at most
    alpha / tests (Bonferroni): then the chance that any rule is called moved although none has is alpha at most.

    Args:
        compared: from `compared_rules`.
        tests: rules in both tables.
        alpha: above 0, below 1.
    """
    has_moved = F.col(c.P_VALUE) * F.lit(max(tests, 1)) <= alpha
    status = (
        F.when(F.col(c.N_BEFORE).isNull(), BORN)
        .when(F.col(c.N_AFTER).isNull(), DIED)
        .when(has_moved, MOVED)
        .otherwise(STABLE)
    )
    return compared.withColumn(c.STATUS, status)


def two_proportions(hits_1: str, trials_1: str, hits_2: str, trials_2: str) -> Column:
    """Standard errors (z) from one share to a second; null when a count is null.

    The shares are taken for independent samples, which they are not when the earlier baskets are counted
    again in the later run: then z is too small.  Below some five hits or misses on a side the normal distribution is a
    poor guide.

    Source: the pooled z test for two proportions, such as Agresti 2013, "Categorical Data Analysis", section 3.2.
    """
    x1, n1, x2, n2 = (F.col(name).cast("double") for name in (hits_1, trials_1, hits_2, trials_2))
    pooled = (x1 + x2) / (n1 + n2)
    variance = pooled * (1 - pooled) * (1 / n1 + 1 / n2)
    # All hits or none at all: the shares are equal, and there is no variance to divide by.
    return F.when(variance > 0, (x2 / n2 - x1 / n1) / F.sqrt(variance)).when(variance <= 0, F.lit(0.0))


def two_sided(z: str) -> Column:
    """Probability, 0..1, that a standard normal lies as far from 0 as z or farther; 0 beyond |z| = 38."""
    tail: Column = pandas_udf(normal_tails, "double")(z)  # type: ignore[call-overload]  # needs pd.Series[Any]
    return F.when(F.col(z).isNotNull(), tail)


def normal_tails(z: pd.Series) -> pd.Series:
    """Both tails of the standard normal beyond each z; NaN for NaN."""
    from scipy.special import erfc  # executors only

    return pd.Series(erfc(np.abs(z.to_numpy(dtype=np.float64, na_value=np.nan)) / np.sqrt(2.0)))
