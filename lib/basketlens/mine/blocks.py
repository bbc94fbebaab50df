"""Baskets as two flat arrays, so that loops over baskets and items run in numpy."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BLOCK_ENTRIES: Final = 1 << 23  # codes of one block: 32 MiB, and some 200 MiB with what is computed from it
_ROWS_OUT: Final = 100_000  # rows of an Arrow batch that goes back to Spark


class Block(NamedTuple):
    """Some baskets.  Basket i holds `codes[starts[i]:starts[i + 1]]`, ascending and distinct."""

    codes: NDArray[np.int32]  # (entries,)
    starts: NDArray[np.int64]  # (baskets + 1,), starts[0] = 0


def blocks(batches: Iterable[pa.RecordBatch], *, entries: int) -> Iterator[Block]:
    """Arrow batches of one list<int32> column, gathered into blocks of at most `entries` codes."""
    return map(block_of, gathered_lists(batches, entries=entries))


def gathered_lists(batches: Iterable[pa.RecordBatch], *, entries: int) -> Iterator[list[pa.Array]]:
    """The list arrays of a column, so many together that they hold at most `entries` values.

    A batch is never split: more come together when a single batch holds them.
    """
    held: list[pa.Array] = []
    size = 0
    for batch in batches:
        lists = batch.column(0)
        arriving = len(lists.flatten())
        if held and size + arriving > entries:
            yield held
            held, size = [], 0
        held.append(lists)
        size += arriving
    if held:
        yield held


def block_of(held: list[pa.Array]) -> Block:
    """Lists of ascending codes, one Arrow array after another, as one block."""
    codes = np.concatenate([lists.flatten().to_numpy() for lists in held])
    sizes = np.concatenate([lists.value_lengths().to_numpy() for lists in held])
    return Block(codes.astype(np.int32, copy=False), _starts(sizes))


def _starts(sizes: NDArray[np.integer | np.bool_]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def ragged(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Positions starts[i] .. starts[i] + sizes[i] - 1 of every i, one after another, (sum of sizes,)."""
    offsets = starts.astype(np.int64) - (np.cumsum(sizes, dtype=np.int64) - sizes)
    return np.arange(int(sizes.sum()), dtype=np.int64) + np.repeat(offsets, sizes)


def keep_items(block: Block, keep: NDArray[np.bool_]) -> Block:
    """The block without the entries where `keep` (entries,) is false; baskets may become empty."""
    return Block(block.codes[keep], _starts(keep)[block.starts])


def keep_baskets(block: Block, *, min_items: int) -> Block:
    """The block without baskets of fewer than `min_items`."""
    sizes = np.diff(block.starts)
    stays = sizes >= min_items
    return Block(block.codes[np.repeat(stays, sizes)], _starts(sizes[stays]))


def pairs_by_distance(block: Block) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Every pair of entries of one basket, once: first all neighbours, then entries two apart, and so on.

    Memory stays at a few arrays of the block's length however large a basket is.  Inside one yield no
    position occurs twice on the same side, and a left code is smaller than its right code.

    Yields:
        Positions (pairs,) into `codes`, left and right.
    """
    ends = np.repeat(block.starts[1:], np.diff(block.starts))  # (entries,), where the entry's basket ends
    left = np.arange(len(block.codes))
    distance = 1
    while True:
        left = left[left + distance < ends[left]]
        if not len(left):
            return
        yield left, left + distance
        distance += 1


def lists_of(block: Block) -> pa.Array:
    """The block as one Arrow array of lists: at most 2^31 codes."""
    return pa.ListArray.from_arrays(pa.array(block.starts.astype(np.int32)), pa.array(block.codes))


def to_batches(**columns: NDArray[np.generic] | pa.Array) -> Iterator[pa.RecordBatch]:
    """Columns of equal length as Arrow batches that the JVM can hold."""
    yield from pa.table(columns).to_batches(max_chunksize=_ROWS_OUT)
