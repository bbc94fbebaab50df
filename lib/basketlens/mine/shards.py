"""Baskets cut to what one shard of prefix items needs: no task holds them all."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from basketlens import columns as c
from basketlens.mine.blocks import BLOCK_ENTRIES, Block, block_of, blocks, lists_of, ragged, to_batches

SHARD: Final = "shard"  # int, 0..shards - 1: code of the smallest item modulo the shards
_SHARD_ENTRIES: Final = 1 << 24  # codes of one shard: 64 MiB, some 350 MiB with its index
_WORTH_A_SHARD: Final = 1 << 20  # less is searched faster by one task than sent to two


def shards_for(cells: int, *, entries: int, cores: int, n_items: int) -> int:
    """How many shards keep every task's share of the baskets within memory, and every core busy.

    Args:
        cells: pairs of items over all baskets; a basket is sent to a shard for an item with what follows it, so
            this bounds what is sent.
        entries: items over all baskets: all that a single shard would hold.
        cores: tasks that run at once.
        n_items: distinct items; more shards than that would be empty.
    """
    if entries <= _SHARD_ENTRIES and cells <= _WORTH_A_SHARD:
        return 1
    return max(1, min(n_items, max(2 * cores, -(-cells // _SHARD_ENTRIES))))


def sharded(baskets: DataFrame, is_prefix: NDArray[np.bool_], *, shards: int) -> DataFrame:
    """Every basket once for each shard that needs it, cut to what that shard needs; a shard's rows together.

    Args:
        baskets: items array<int>, ascending, codes below len(is_prefix).
        is_prefix: (n_items,), the smallest items that are searched for; baskets without one are dropped.
        shards: from `shards_for`.

    Returns:
        shard int, items array<int>.  All rows of a shard are in one partition, one after another.
    """

    def cut(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for block in blocks(batches, entries=BLOCK_ENTRIES // 8):
            for numbers, part in cuts(block, is_prefix, shards=shards):
                yield from to_batches(shard=numbers, items=lists_of(part))

    rows = baskets.select(c.ITEMS).mapInArrow(cut, f"{SHARD} int, {c.ITEMS} array<int>")
    if shards == 1:
        return rows.coalesce(1)
    return rows.repartition(shards, SHARD).sortWithinPartitions(SHARD)


def cuts(
    block: Block, is_prefix: NDArray[np.bool_], *, shards: int, entries: int = BLOCK_ENTRIES
) -> Iterator[tuple[NDArray[np.int32], Block]]:
    """The block's baskets per shard: from the shard's first prefix in the basket to the basket's end.

    A prefix with fewer than two items after it is no reason to send: nothing of three items starts there.

    Yields:
        Shards (baskets,) and as many cut baskets, about `entries` codes at a time.
    """
    sizes = np.diff(block.starts)
    ends = np.repeat(block.starts[1:], sizes)
    at = np.flatnonzero(is_prefix[block.codes] & (ends - np.arange(len(ends)) > 2))  # noqa: PLR2004
    basket = np.repeat(np.arange(len(sizes)), sizes)[at]
    _, first = np.unique(basket * shards + block.codes[at] % shards, return_index=True)
    places = at[first]
    lengths = ends[places] - places
    slices = np.searchsorted(
        np.cumsum(lengths), np.arange(entries, lengths.sum() + entries, entries), "right"
    )
    low = 0
    for high in np.unique([*slices, len(places)]):
        if high > low:
            chosen, long = places[low:high], lengths[low:high]
            starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(long)])
            yield (
                (block.codes[chosen] % shards).astype(np.int32),
                Block(block.codes[ragged(chosen, long)], starts),
            )
            low = int(high)


def by_shard(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, Block]]:
    """Shard by shard what `sharded` gave one task: a shard is held, the next is not there yet."""
    held: list[pa.Array] = []
    current = -1
    for batch in batches:
        numbers = batch.column(0).to_numpy()
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for low, high in pairwise(edges):
            if low == high:
                continue
            if held and numbers[low] != current:
                yield current, block_of(held)
                held = []
            current = int(numbers[low])
            held.append(batch.column(1).slice(low, high - low))
    if held:
        yield current, block_of(held)
