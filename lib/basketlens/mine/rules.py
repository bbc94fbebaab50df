"""Rules from the table `itemsets`: SQL over itemsets joined to themselves, all levels at once."""

from decimal import Decimal
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

_RIGHT: Final = "right"  # array<int>, places in the itemset, from 1, of the items that go to the right side
_PLACES: Final = f"sequence(1, size({c.ITEMS}))"


def all_splits(itemsets: DataFrame, *, baskets: int, max_consequent: int) -> DataFrame:
    """Every split of an itemset into two non-empty sides with few enough items on the right, and its counts.

    Args:
        itemsets: level, items, size, count.  A split whose sides are not both there is left out.
        baskets: in all, the same for every level.
        max_consequent: items on the right side, 1 or more.

    Returns:
        level, antecedent, consequent, n_ab, n_a, n_b, n; one row per rule.
    """
    counts = itemsets.select(c.LEVEL, c.ITEMS, c.COUNT)
    split = (
        itemsets.filter(F.col(c.SIZE) > 1)
        .select(c.LEVEL, c.ITEMS, F.col(c.COUNT).alias(c.N_AB), _right_sides(max_consequent))
        .select(
            c.LEVEL,
            F.expr(f"filter({c.ITEMS}, (item, i) -> not array_contains({_RIGHT}, i + 1))").alias(
                c.ANTECEDENT
            ),
            F.expr(f"transform({_RIGHT}, i -> {c.ITEMS}[i - 1])").alias(c.CONSEQUENT),
            c.N_AB,
        )
    )
    left = counts.select(c.LEVEL, F.col(c.ITEMS).alias(c.ANTECEDENT), F.col(c.COUNT).alias(c.N_A))
    right = counts.select(c.LEVEL, F.col(c.ITEMS).alias(c.CONSEQUENT), F.col(c.COUNT).alias(c.N_B))
    return (
        split.join(left, [c.LEVEL, c.ANTECEDENT])
        .join(right, [c.LEVEL, c.CONSEQUENT])
        .select(
            c.LEVEL, c.ANTECEDENT, c.CONSEQUENT, c.N_AB, c.N_A, c.N_B, F.lit(baskets).cast("long").alias(c.N)
        )
    )


def is_confident(min_confidence: float) -> Column:
    """Whether n_ab / n_a is at least a share that is read as the decimal number it is written as."""
    floor = F.lit(Decimal(repr(min_confidence)))
    return F.col(c.N_AB).cast("decimal(19,0)") >= floor * F.col(c.N_A).cast("decimal(19,0)")


def _right_sides(most: int) -> Column:
    """One row for each choice of 1 to `most` places that leaves a place over, as column `right`.

    Larger choices are smaller ones with a later place added: none is made that is not wanted.
    """
    chosen = f"transform({_PLACES}, i -> array(i))"
    choices = [chosen]
    for size in range(2, most + 1):
        later = f"filter({_PLACES}, i{size} -> i{size} > element_at(s{size}, -1))"
        longer = f"transform({later}, j{size} -> concat(s{size}, array(j{size})))"
        chosen = f"flatten(transform({chosen}, s{size} -> {longer}))"
        choices.append(chosen)
    one_left = f"filter(concat({', '.join(choices)}), s -> size(s) < size({c.ITEMS}))"
    return F.explode(F.expr(one_left)).alias(_RIGHT)
