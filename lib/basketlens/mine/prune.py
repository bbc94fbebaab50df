"""Baskets cut down to what can hold an itemset of three or more."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from basketlens import columns as c
from basketlens.mine.blocks import (
    BLOCK_ENTRIES,
    Block,
    blocks,
    keep_baskets,
    keep_items,
    lists_of,
    pairs_by_distance,
    to_batches,
)
from basketlens.mine.candidates import PairFinder, partners_per_item

_ROUNDS: Final = 2  # the second removes items whose partners the first removed; a third finds little


def prune_baskets(baskets: DataFrame, keys: NDArray[np.int64], *, n_items: int) -> DataFrame:
    """Baskets without what no frequent itemset of three or more can use; its supports stay exact.

    Args:
        baskets: items array<int>, codes below `n_items`, ascending.
        keys: the frequent pairs by `candidates.pair_keys`, one or more; 8 bytes each in every worker.
        n_items: frequent items.

    Returns:
        items array<int>, three codes or more.
    """

    def prune(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for block in blocks(batches, entries=BLOCK_ENTRIES):
            rest = prune_block(block, keys, n_items=n_items)
            yield from to_batches(items=lists_of(rest))

    return baskets.select(c.ITEMS).mapInArrow(prune, f"{c.ITEMS} array<int>")


def prune_block(block: Block, keys: NDArray[np.int64], *, n_items: int) -> Block:
    """Keep items with two frequent partners or more in their basket, then baskets of three items or more.

    All pairs inside a frequent itemset are frequent.  So in a basket that holds one of size 3 or more, each of
    its items has at least two frequent partners, and keeps them in every round.

    Args:
        block: baskets with codes below `n_items`.
        keys: the frequent pairs by `candidates.pair_keys`, one or more.
        n_items: as in `pair_keys`.
    """
    can_stay = partners_per_item(keys, n_items=n_items) >= 2  # noqa: PLR2004 - a triangle's two
    rest = keep_baskets(keep_items(block, can_stay[block.codes]), min_items=3)
    finder = PairFinder(keys, n_items=n_items)
    for _ in range(_ROUNDS):
        partners = np.zeros(len(rest.codes), np.int32)
        for left, right in pairs_by_distance(rest):
            frequent, _ = finder.find(rest.codes[left], rest.codes[right])
            partners[left[frequent]] += 1  # no position occurs twice
            partners[right[frequent]] += 1
        rest = keep_baskets(keep_items(rest, partners >= 2), min_items=3)  # noqa: PLR2004
    return rest
