"""Which baskets hold which itemsets, by an equi-join on each set's rarest item."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

PART: Final = "part"  # array<int>, codes of the set that is looked for
INDEX: Final = "index"  # int, the one of them that fewest baskets hold


def with_held_sets(baskets: DataFrame, sets: DataFrame) -> DataFrame:
    """Every basket beside every set that it holds whole.

    A set meets only the baskets that hold its rarest item, and most of these hold the rest too where items
    go together.  Both sides are shuffled by that item and merged, so nothing is broadcast and nothing has to fit
    in memory; where one item indexes very many sets, adaptive execution splits its baskets over several tasks.

    Each item of a basket brings the basket along: a basket of m items costs m x m codes of 4 bytes in the
    shuffle, 144 MB for 6,000 items.

    Args:
        baskets: items array<int>, distinct; any other columns.
        sets: part array<int>, index int; any other columns, other than those of `baskets`.

    Returns:
        The columns of both.
    """
    by_item = baskets.withColumn(INDEX, F.explode(c.ITEMS))
    holds_rest = (F.size(PART) == 1) | F.forall(PART, lambda item: F.array_contains(F.col(c.ITEMS), item))
    return by_item.join(sets.hint("merge"), INDEX).filter(holds_rest)
