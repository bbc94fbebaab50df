"""Rows of itemsets and of baskets in one stream, cut so that all baskets of a customer meet in one task."""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from basketlens.mine.blocks import BLOCK_ENTRIES
from basketlens.mine.facts import CUSTOMER, MONEY, TOTAL
from basketlens.mine.tally import Shoppings
from basketlens.mine.tree import NONE, Queries

SHARD: Final = "shard"  # int, label of a shard
PART: Final = "part"  # int, QUERY, MINED or HELD_OUT
QUERY, MINED, HELD_OUT = 0, 1, 2  # in the order in which a task needs them
ID: Final = "id"  # long, of a query
CODES: Final = "codes"  # array<int>
ABSENT: Final = "absent"  # int, code
STRATUM: Final = "stratum"  # int
ROWS: Final = (
    f"{SHARD} int, {PART} int, {CUSTOMER} long, {ID} long, {CODES} array<int>, {MONEY} array<long>, "
    f"{TOTAL} long, {ABSENT} int, {STRATUM} int"
)
_WORTH_A_SHARD: Final = 250_000  # items over all baskets: some seconds of work
_SHARD_ENTRIES: Final = 1 << 26  # more shards beyond: every shard gets all itemsets, so few are cheap


class Asked(NamedTuple):
    """The itemsets of a shard."""

    ids: NDArray[np.int64]
    queries: Queries


def shards_for(entries: int, *, cores: int, wanted: int) -> int:
    """How many shards measure so many items over all baskets; `wanted` is `mine.partitions`, 0 = choose."""
    return wanted or max(1, min(cores, entries // _WORTH_A_SHARD), entries // _SHARD_ENTRIES)


def by_shard(batches: Iterable[pa.RecordBatch]) -> Iterator[Iterator[tuple[int, pa.RecordBatch]]]:
    """Shard by shard the pieces of its parts, in the order of (shard, part) in which the rows come."""
    for _, pieces in groupby(_pieces(batches), key=lambda piece: piece[0]):
        yield ((part, rows) for _, part, rows in pieces)


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, int, pa.RecordBatch]]:
    for batch in batches:
        shard, part = (batch.column(name).to_numpy() for name in (SHARD, PART))
        changes = np.flatnonzero((np.diff(shard) != 0) | (np.diff(part) != 0)) + 1
        for low, high in pairwise([0, *changes.tolist(), batch.num_rows]):
            if high > low:
                yield int(shard[low]), int(part[low]), batch.slice(low, high - low)


def asked(pieces: list[pa.RecordBatch]) -> Asked:
    """The itemsets that came first in a shard."""
    rows = pa.Table.from_batches(pieces).combine_chunks()
    lists = _combined(rows, CODES)
    absent = _combined(rows, ABSENT).fill_null(NONE).to_numpy()
    return Asked(_combined(rows, ID).to_numpy(), Queries(lists.flatten().to_numpy(), _starts(lists), absent))


def shoppings(
    pieces: Iterable[tuple[int, pa.RecordBatch]], *, entries: int = BLOCK_ENTRIES
) -> Iterator[tuple[int, Shoppings]]:
    """Part and block, where a block ends with its part or after `entries` items; a piece is never split.

    Customers become numbers that count up from block to block.
    """
    numbers = _Numbers()
    for part, together in groupby(pieces, key=lambda piece: piece[0]):
        held: list[pa.RecordBatch] = []
        size = 0
        for _, rows in together:
            arriving = len(rows.column(CODES).flatten())
            if held and size + arriving > entries:
                yield part, _block(held, numbers)
                held, size = [], 0
            held.append(rows)
            size += arriving
        yield part, _block(held, numbers)


class _Numbers:
    """A number for each customer in the order of their coming; equal ones come together, unknown ones first."""

    def __init__(self) -> None:
        self._next = 0
        self._last: np.int64 | None = None

    def of(self, customers: pa.Array) -> NDArray[np.int64]:
        known = customers.drop_null().to_numpy()
        numbers = np.full(len(customers), NONE, np.int64)
        if len(known):
            is_new = np.concatenate([[known[0] != self._last], known[1:] != known[:-1]])
            at = self._next - 1 + np.cumsum(is_new)
            numbers[len(customers) - len(known) :] = at
            self._next, self._last = int(at[-1]) + 1, known[-1]
        return numbers


def _block(pieces: list[pa.RecordBatch], numbers: _Numbers) -> Shoppings:
    rows = pa.Table.from_batches(pieces).combine_chunks()
    lists = _combined(rows, CODES)
    return Shoppings(
        codes=lists.flatten().to_numpy(),
        starts=_starts(lists),
        money=_combined(rows, MONEY).flatten().to_numpy(),
        total=_combined(rows, TOTAL).to_numpy(),
        customer=numbers.of(_combined(rows, CUSTOMER)),
        stratum=_combined(rows, STRATUM).fill_null(NONE).to_numpy(),
    )


def _combined(rows: pa.Table, column: str) -> pa.Array:
    found = rows.column(column).combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _starts(lists: pa.Array) -> NDArray[np.int64]:
    sizes = lists.value_lengths().to_numpy()
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
