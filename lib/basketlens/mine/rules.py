"""The table `rules` from the table `itemsets`: SQL over itemsets joined to themselves, all levels at once."""

from decimal import Decimal
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

# Bit i of the mask says that item i goes to the left side; neither side is empty.
_MASKS: Final = "sequence(1, shiftleft(1, size({items})) - 2)"
_LATER: Final = (c.P_VALUE, c.Q_VALUE, c.LIFT_LOW, c.LIFT_HIGH, c.HOLDOUT_LIFT)  # not computed yet: null


def confident_rules(itemsets: DataFrame, *, baskets: int, min_confidence: float) -> DataFrame:
    """Every split of an itemset into two non-empty sides that is confident enough, with its four counts.

    Args:
        itemsets: level, items, size, count; complete downward.
        baskets: in all, the same for every level.
        min_confidence: share, 0..1, read as the decimal number it is written as.

    Returns:
        level, antecedent, consequent, n_ab, n_a, n_b, n; one row per rule.
    """
    counts = itemsets.select(c.LEVEL, c.ITEMS, c.COUNT)
    split = (
        itemsets.filter(F.col(c.SIZE) > 1)
        .select(c.LEVEL, c.ITEMS, F.col(c.COUNT).alias(c.N_AB), _masks(c.ITEMS))
        .select(c.LEVEL, c.N_AB, _side(c.ITEMS, 1).alias(c.ANTECEDENT), _side(c.ITEMS, 0).alias(c.CONSEQUENT))
    )
    left = counts.select(c.LEVEL, F.col(c.ITEMS).alias(c.ANTECEDENT), F.col(c.COUNT).alias(c.N_A))
    right = counts.select(c.LEVEL, F.col(c.ITEMS).alias(c.CONSEQUENT), F.col(c.COUNT).alias(c.N_B))
    floor = F.lit(Decimal(repr(min_confidence)))
    confident = split.join(left, [c.LEVEL, c.ANTECEDENT]).filter(_exact(c.N_AB) >= floor * _exact(c.N_A))
    return confident.join(right, [c.LEVEL, c.CONSEQUENT]).select(
        c.LEVEL, c.ANTECEDENT, c.CONSEQUENT, c.N_AB, c.N_A, c.N_B, F.lit(baskets).cast("long").alias(c.N)
    )


def with_is_redundant(rules: DataFrame) -> DataFrame:
    """Add is_redundant: some smaller antecedent, down to none at all, has the consequent as surely or more.

    Confidence is not monotone in the antecedent, so all smaller antecedents are compared, not only those one
    item smaller.  The confident rules suffice: a rule that makes one of them redundant is at least as confident.

    Args:
        rules: from `confident_rules`, complete.

    Source: Bayardo, Agrawal, Gunopulos 2000, "Constraint-Based Rule Mining in Large, Dense Databases", with
    improvement 0, as `is.redundant` of the R package arules.
    """
    keys = [c.LEVEL, c.CONSEQUENT, c.ANTECEDENT]
    smaller = (
        rules.filter(F.size(c.ANTECEDENT) > 1)
        .select(
            c.LEVEL, c.CONSEQUENT, c.N_AB, c.N_A, F.col(c.ANTECEDENT).alias("whole"), _masks(c.ANTECEDENT)
        )
        .withColumn(c.ANTECEDENT, _side("whole", 1))
    )
    general = rules.select(*keys, F.col(c.N_AB).alias("general_ab"), F.col(c.N_A).alias("general_a"))
    is_as_sure = _exact("general_ab") * _exact(c.N_A) >= _exact(c.N_AB) * _exact("general_a")
    beaten = (
        smaller.join(general, keys)
        .filter(is_as_sure)
        .select(c.LEVEL, c.CONSEQUENT, F.col("whole").alias(c.ANTECEDENT), F.lit(True).alias("is_beaten"))
        .distinct()
    )
    is_beaten_by_none = _exact(c.N_B) * _exact(c.N_A) >= _exact(c.N_AB) * _exact(c.N)  # n_b / n >= n_ab / n_a
    return (
        rules.join(beaten, keys, "left")
        .withColumn(c.IS_REDUNDANT, is_beaten_by_none | F.coalesce("is_beaten", F.lit(False)))
        .drop("is_beaten")
    )


def with_measures(rules: DataFrame) -> DataFrame:
    """Add support, confidence, lift, leverage, conviction, and nulls for what a later step computes.

    Sources: Brin et al. 1997 (lift there called interest, conviction); Piatetsky-Shapiro 1991 (leverage).
    """
    n_ab, n_a, n_b, n = (F.col(name).cast("double") for name in (c.N_AB, c.N_A, c.N_B, c.N))
    misses = F.nullif(n_a - n_ab, F.lit(0.0))  # antecedent without consequent; null, not zero, to divide by
    return (
        rules.withColumn(c.SUPPORT, n_ab / n)
        .withColumn(c.CONFIDENCE, n_ab / n_a)
        .withColumn(c.LIFT, n_ab * n / (n_a * n_b))
        .withColumn(c.LEVERAGE, (n_ab * n - n_a * n_b) / (n * n))
        .withColumn(c.CONVICTION, (n - n_b) * n_a / (n * misses))
        .withColumns({name: F.lit(None).cast("double") for name in _LATER})
        .withColumn(c.CUSTOMERS, F.lit(None).cast("long"))
    )


def _masks(items: str) -> Column:
    return F.explode(F.expr(_MASKS.format(items=items))).alias("mask")


def _side(items: str, bit: int) -> Column:
    """The items whose bit of `mask` is `bit`, order kept."""
    return F.expr(f"filter({items}, (item, i) -> getbit(mask, i) = {bit})")


def _exact(count: str) -> Column:
    """A count whose product with another cannot overflow, as two longs can beyond 3 billion baskets."""
    return F.col(count).cast("decimal(19,0)")
