"""Which rules say no more than a shorter one: antecedents are compared with those of one item less, size by size.

Confidence does not fall or rise with the antecedent, so a rule may beat another that is two items longer while
the one between them beats neither.  Each rule therefore hands on the best confidence among itself and all below
it, and comparing with the immediate generalisations reaches all of them.  For that, rules of every confidence
take part: one under the floor of confidence may lie between two above it.
"""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

BEST_BELOW: Final = "best_below"  # decimal, 0..1, highest confidence of the same consequent after fewer items
_SMALLER: Final = "smaller"
_BEST: Final = "best"
_ONE_LESS: Final = (
    f"transform(sequence(1, size({c.ANTECEDENT})), i -> "
    f"concat(slice({c.ANTECEDENT}, 1, i - 1), slice({c.ANTECEDENT}, i + 1, size({c.ANTECEDENT}))))"
)


def with_best_below(splits: DataFrame, shorter: DataFrame | None, *, size: int) -> DataFrame:
    """The rules of one antecedent size, with the best confidence of any generalisation, the empty one included.

    Args:
        splits: from `rules.all_splits`, of every confidence.
        shorter: what this gave for `size` - 1; None for size 1.
        size: items of the antecedent.

    Returns:
        The columns of `splits`, and best_below.
    """
    wanted = splits.filter(F.size(c.ANTECEDENT) == size)
    alone = exact_share(c.N_B, c.N)  # the empty antecedent: the consequent's share of all baskets
    if shorter is None:
        return wanted.withColumn(BEST_BELOW, alone)
    asked = wanted.withColumn(_SMALLER, F.explode(F.expr(_ONE_LESS)))
    known = shorter.select(
        c.LEVEL,
        c.CONSEQUENT,
        F.col(c.ANTECEDENT).alias(_SMALLER),
        F.greatest(exact_share(c.N_AB, c.N_A), BEST_BELOW).alias(_BEST),
    )
    best = asked.join(known, [c.LEVEL, c.CONSEQUENT, _SMALLER], "left").groupBy(*splits.columns)
    return best.agg(F.greatest(alone, F.max(_BEST)).alias(BEST_BELOW))  # greatest leaves nulls out


def with_redundancy(rules: DataFrame) -> DataFrame:
    """Replace best_below by improvement and is_redundant.

    Sources: Bayardo, Agrawal & Gunopulos 2000, "Constraint-Based Rule Mining in Large, Dense Databases"
    (improvement); `is.redundant` of the R package arules (improvement of 0 or less), with the empty antecedent.
    """
    confidence = exact_share(c.N_AB, c.N_A)
    return (
        rules.withColumn(c.IMPROVEMENT, (confidence - F.col(BEST_BELOW)).cast("double"))
        .withColumn(c.IS_REDUNDANT, F.col(BEST_BELOW) >= confidence)
        .drop(BEST_BELOW)
    )


def exact_share(part: str, whole: str) -> Column:
    """A quotient of two counts below a trillion that equals another only where both quotients are equal.

    Two such fractions differ by 1e-24 or more; this keeps 25 places.  Doubles would take 3999999998/4000000000
    for 3999999997/3999999999.
    """
    return F.col(part).cast("decimal(38,25)") / F.col(whole).cast("decimal(13,0)")
