"""Itemsets of three or more by bitmaps, in Spark tasks that each search their shard of prefix items."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from basketlens import columns as c
from basketlens.mine.bitmap import Found, itemsets
from basketlens.mine.blocks import to_batches
from basketlens.mine.shards import by_shard, sharded

_SETS_OUT: Final = 50_000  # itemsets of one size that a task gathers before it sends them on
_SMALLEST: Final = 3  # items; singles and pairs are counted before


def bitmap_itemsets(
    baskets: DataFrame, *, n_items: int, min_count: int, max_size: int, shards: int
) -> DataFrame:
    """Itemsets of size 3 to `max_size` in at least `min_count` baskets: the same as `growth.larger_itemsets`.

    The result is lazy and is mined again at every action: write it once.

    Args:
        baskets: items array<int>, ascending, codes below `n_items`.
        n_items: frequent items.
        min_count: baskets an itemset must appear in.
        max_size: items; nothing larger is searched.
        shards: from `shards.shards_for`.

    Returns:
        items array<int> ascending, count long.
    """
    everything = np.ones(n_items, np.bool_)

    def search(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for shard, block in by_shard(batches):
            # Later items of this shard's baskets belong to other shards, which have more baskets of them.
            mine = np.arange(n_items) % shards == shard
            found = itemsets(block, mine, min_count=min_count, min_size=_SMALLEST, max_size=max_size)
            for few in gathered(found, sets=_SETS_OUT):
                size = few.items.shape[1]
                lists = pa.FixedSizeListArray.from_arrays(pa.array(few.items.ravel()), size).cast(
                    pa.list_(pa.int32())
                )
                yield from to_batches(items=lists, count=few.counts)

    rows = sharded(baskets, everything, shards=shards)
    return rows.mapInArrow(search, f"{c.ITEMS} array<int>, {c.COUNT} long")


def gathered(found: Iterator[Found], *, sets: int) -> Iterator[Found]:
    """The same itemsets in few pieces, about `sets` of one size each: Arrow pays for every piece."""
    held: dict[int, list[Found]] = {}
    sizes: dict[int, int] = {}
    for few in found:
        size = few.items.shape[1]
        held.setdefault(size, []).append(few)
        sizes[size] = sizes.get(size, 0) + len(few.counts)
        if sizes[size] >= sets:
            yield _joined(held.pop(size))
            sizes[size] = 0
    for parts in held.values():
        yield _joined(parts)


def _joined(parts: list[Found]) -> Found:
    return Found(np.concatenate([p.items for p in parts]), np.concatenate([p.counts for p in parts]))
