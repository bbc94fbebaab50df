"""Baskets of item ids as ascending dense codes, without a shuffle."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.blocks import (
    BLOCK_ENTRIES,
    Block,
    gathered_lists,
    keep_baskets,
    keep_items,
    lists_of,
    to_batches,
)


def encode_baskets(baskets: DataFrame, level: str, ids: pa.Array, *, max_items: int) -> DataFrame:
    """The frequent items of each basket that holds two or more, as ascending codes.

    The ids travel in the workers' closure instead of a join: baskets stay where they are.

    Args:
        baskets: a column `level`, array of distinct item ids.
        level: name of that column.
        ids: the frequent items; an item's place is its code.  Codes ascend with frequency.
        max_items: a basket with more keeps its most frequent ones.

    Returns:
        items: array<int>, distinct, at most `max_items`.
    """

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for lists in gathered_lists(batches, entries=BLOCK_ENTRIES // 8):
            block = coded_block(pa.chunked_array(lists).combine_chunks(), ids)
            yield from to_batches(items=lists_of(keep_baskets(most_frequent(block, max_items), min_items=2)))

    return baskets.select(F.col(level).alias(c.ITEMS)).mapInArrow(encode, f"{c.ITEMS} array<int>")


def coded_block(lists: pa.Array, ids: pa.Array) -> Block:
    """Lists of ids as a block of codes; ids that are not among `ids` are left out."""
    codes = pc.fill_null(pc.index_in(lists.flatten().cast(ids.type), value_set=ids), -1).to_numpy()
    sizes = lists.value_lengths().to_numpy()
    basket = np.repeat(np.arange(len(sizes)), sizes)
    is_frequent = codes >= 0
    in_order = np.sort(basket[is_frequent] * max(len(ids), 1) + codes[is_frequent])  # by basket, then by code
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    unordered = keep_items(Block(codes, starts), is_frequent)
    return Block((in_order % max(len(ids), 1)).astype(np.int32), unordered.starts)


def most_frequent(block: Block, max_items: int) -> Block:
    """The block with the last `max_items` codes of each basket, which are its most frequent items."""
    sizes = np.diff(block.starts)
    if not len(sizes) or sizes.max() <= max_items:
        return block
    from_end = np.repeat(block.starts[1:], sizes) - np.arange(len(block.codes))
    return keep_items(block, from_end <= max_items)
