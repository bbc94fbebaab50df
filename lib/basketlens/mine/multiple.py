"""Holm and Benjamini-Hochberg over every rule that was searched, without a sort in one place.

The rules that are in the table have passed a floor of support and of confidence: correcting for them alone
would forget all that was looked at.  A family is all rules of one level and size that the frequent items of the
level can form, and those that were never counted stand in it with p = 1.
"""

import math
from collections.abc import Mapping
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c

PART: Final = (
    "part"  # int, piece of the rules sorted by level, size and p; pieces ascend like the rules in them
)
_FAMILY: Final = (c.LEVEL, c.SIZE)
_ROWS_PER_PART: Final = 200_000  # rules that one task sorts
_BEFORE: Final = "rules_before"
_RANK: Final = "rank"
_Q: Final = "step_up"
_HOLM: Final = "step_down"
Searched = Mapping[tuple[str, int], int]  # (level, rule size) -> rules that could have been found


def possible_rules(items: int, *, size: int, max_consequent: int) -> int:
    """Rules of `size` items that `items` items can form, each with 1 to `max_consequent` of them on the right."""
    splits = sum(math.comb(size, right) for right in range(1, min(max_consequent, size - 1) + 1))
    return math.comb(items, size) * splits


def parts_for(rules: int) -> int:
    """Pieces that so many rules are sorted in."""
    return max(1, math.ceil(rules / _ROWS_PER_PART))


def with_part(rules: DataFrame, *, parts: int) -> DataFrame:
    """Add size and part: rules in ascending order of level, size and log10_p, cut into `parts`.

    Write the result before `with_adjusted` reads it: where the cuts lie is drawn from a sample, and the rules
    must be cut once.

    Args:
        rules: level, antecedent, consequent, log10_p.
        parts: 1 or more.
    """
    sized = rules.withColumn(c.SIZE, F.size(c.ANTECEDENT) + F.size(c.CONSEQUENT))
    in_order = sized.repartitionByRange(parts, *_FAMILY, c.LOG10_P, c.ANTECEDENT, c.CONSEQUENT)
    return in_order.withColumn(PART, F.spark_partition_id())


def with_adjusted(rules: DataFrame, searched: Searched) -> DataFrame:
    """Add log10_q and log10_holm_p, and drop size and part.

    With m rules searched and p of rank j: q = min over ranks i >= j of m p_i / i, and Holm's p = max over ranks
    i <= j of (m - i + 1) p_i, both at most 1.  Ranks count the rules of earlier parts, and minima and maxima
    pass from part to part, by tables of one row per part.  Equal p get equal results, whatever their order.

    Args:
        rules: from `with_part`, as written.
        searched: how many rules there were to look at, for every level and size in `rules`.

    Sources: Benjamini & Hochberg 1995; Holm 1979; over the searched space: Webb 2007, "Discovering Significant
    Patterns", and by rule size: Webb 2008, "Layered Critical Values".
    """
    inside = Window.partitionBy(*_FAMILY, PART)
    up = inside.orderBy(c.LOG10_P, c.ANTECEDENT, c.CONSEQUENT)
    down = inside.orderBy(F.desc(_RANK))
    searched_there = _lookup(searched)
    rank = F.col(_BEFORE) + F.row_number().over(up)
    ranked = (
        rules.join(F.broadcast(_rules_before(rules)), [*_FAMILY, PART])
        .withColumn(_RANK, rank)
        .withColumn(_Q, F.col(c.LOG10_P) + F.log10(searched_there) - F.log10(F.col(_RANK)))
        .withColumn(_HOLM, F.col(c.LOG10_P) + F.log10(searched_there - F.col(_RANK) + 1))
    )
    least = F.least(F.min(_Q).over(down.rowsBetween(Window.unboundedPreceding, 0)), F.col("q_later"))
    most = F.greatest(F.max(_HOLM).over(up.rowsBetween(Window.unboundedPreceding, 0)), F.col("holm_earlier"))
    return (
        ranked.join(F.broadcast(_other_parts(ranked)), [*_FAMILY, PART])
        .withColumn(c.LOG10_Q, F.least(least, F.lit(0.0)))
        .withColumn(c.LOG10_HOLM_P, F.least(most, F.lit(0.0)))
        .drop(c.SIZE, PART, _BEFORE, _RANK, _Q, _HOLM, "q_later", "holm_earlier")
    )


def _rules_before(rules: DataFrame) -> DataFrame:
    """How many rules of the family the earlier parts hold; one row per family and part."""
    earlier = Window.partitionBy(*_FAMILY).orderBy(PART).rowsBetween(Window.unboundedPreceding, -1)
    held = rules.groupBy(*_FAMILY, PART).agg(F.count("*").alias("held"))
    return held.select(*_FAMILY, PART, F.coalesce(F.sum("held").over(earlier), F.lit(0)).alias(_BEFORE))


def _other_parts(ranked: DataFrame) -> DataFrame:
    """The least step of the later parts and the greatest of the earlier ones; null at the ends."""
    by_part = Window.partitionBy(*_FAMILY).orderBy(PART)
    ends = ranked.groupBy(*_FAMILY, PART).agg(F.min(_Q).alias("q"), F.max(_HOLM).alias("holm"))
    return ends.select(
        *_FAMILY,
        PART,
        F.min("q").over(by_part.rowsBetween(1, Window.unboundedFollowing)).alias("q_later"),
        F.max("holm").over(by_part.rowsBetween(Window.unboundedPreceding, -1)).alias("holm_earlier"),
    )


def _lookup(searched: Searched) -> Column:
    """The family's number of rules as a double; an error for a family that is not there, rather than a null q."""
    known: Column = F.lit(None).cast("double")
    for (level, size), rules in searched.items():
        known = F.when((F.col(c.LEVEL) == level) & (F.col(c.SIZE) == size), F.lit(float(rules))).otherwise(
            known
        )
    return F.coalesce(known, F.raise_error("a rule of a level and size that was not searched").cast("double"))
