"""What was measured again on baskets, as columns of rules; rules of withheld itemsets go."""

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.measured import HELD_OUT, STRATA
from basketlens.mine.remeasure import IS_WITHHELD
from basketlens.mine.strata import EXPECTED, with_expected

_WHOLE, _STRATA_A, _STRATA_B = "whole", "strata_a", "strata_b"
_LATE_AB, _LATE_A, _LATE_B = "late_ab", "late_a", "late_b"


def with_evidence(
    rules: DataFrame, sets: DataFrame, *, held_out: int, per_stratum: NDArray[np.int64]
) -> DataFrame:
    """Add customers, extra_revenue, holdout_lift, shrinkage and stratified_lift.

    extra_revenue = (n_ab - n_a n_b / n) * item_revenue(B) / n_b: the baskets with both beyond what chance would
    have, times what a basket with the consequent pays for it.  Currency, over all mined baskets; negative below chance.

    Args:
        rules: level, antecedent, consequent, n_ab, n_a, n_b, n, lift.
        sets: from `remeasure.remeasured`, decoded, withheld sets too.
        held_out: baskets held out; 0 = none.
        per_stratum: (strata,), mined baskets; empty = not stratified.

    Returns:
        The rules whose itemset is published.  Null where the lines do not say, or no held-out basket has a side.
    """
    published = sets.filter(~F.col(IS_WITHHELD))
    whole = published.select(
        c.LEVEL, F.col(c.ITEMS).alias(_WHOLE), c.CUSTOMERS, F.col(HELD_OUT).alias(_LATE_AB)
    )
    left = published.select(
        c.LEVEL,
        F.col(c.ITEMS).alias(c.ANTECEDENT),
        F.col(HELD_OUT).alias(_LATE_A),
        F.col(STRATA).alias(_STRATA_A),
    )
    right = published.select(
        c.LEVEL,
        F.col(c.ITEMS).alias(c.CONSEQUENT),
        c.ITEM_REVENUE,
        F.col(HELD_OUT).alias(_LATE_B),
        F.col(STRATA).alias(_STRATA_B),
    )
    mine = (c.CUSTOMERS, c.EXTRA_REVENUE, c.HOLDOUT_LIFT, c.SHRINKAGE, c.STRATIFIED_LIFT)
    joined = (
        rules.drop(*mine)
        .withColumn(_WHOLE, F.array_sort(F.concat(c.ANTECEDENT, c.CONSEQUENT)))
        .join(whole, [c.LEVEL, _WHOLE])
        .join(left, [c.LEVEL, c.ANTECEDENT])
        .join(right, [c.LEVEL, c.CONSEQUENT])
    )
    if len(per_stratum):
        joined = with_expected(joined, _STRATA_A, _STRATA_B, per_stratum)
    else:
        joined = joined.drop(_STRATA_A, _STRATA_B).withColumn(EXPECTED, F.lit(None).cast("double"))
    n_ab, n_a, n_b, n = (F.col(name).cast("double") for name in (c.N_AB, c.N_A, c.N_B, c.N))
    late = [F.col(name).cast("double") for name in (_LATE_AB, _LATE_A, _LATE_B)]
    return (
        joined.withColumn(c.EXTRA_REVENUE, (n_ab - n_a * n_b / n) * F.col(c.ITEM_REVENUE) / n_b)
        .withColumn(c.HOLDOUT_LIFT, late[0] * held_out / F.nullif(late[1] * late[2], F.lit(0.0)))
        .withColumn(c.SHRINKAGE, F.col(c.HOLDOUT_LIFT) / F.col(c.LIFT))
        .withColumn(c.STRATIFIED_LIFT, n_ab / F.col(EXPECTED))
        .drop(_WHOLE, _LATE_AB, _LATE_A, _LATE_B, c.ITEM_REVENUE, EXPECTED)
    )
