"""Frequent pairs, exactly, in one or two passes over the coded baskets."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens.mine.blocks import BLOCK_ENTRIES, blocks, to_batches
from basketlens.mine.candidates import count_candidates

A: Final = "a"  # int, code of the pair's smaller item
B: Final = "b"  # int, code of the larger
PAIRS: Final = T.StructType(
    [
        T.StructField(A, T.IntegerType()),
        T.StructField(B, T.IntegerType()),
        T.StructField(c.COUNT, T.LongType()),
    ]
)
_ENTRIES_PER_TASK: Final = (
    2_000_000  # some 3 s of work: below that a second pass costs more than a core gains
)


def partitions_for(entries: int, *, cores: int, wanted: int) -> int:
    """How many partitions count pairs.

    Few and large: the fewer baskets a partition has, the more pairs are frequent there by chance.

    Args:
        entries: frequent items over all baskets.
        cores: tasks that run at once.
        wanted: `mine.partitions`; 0 = as many as the entries are worth, at most one per core.
    """
    return wanted or max(1, min(cores, entries // _ENTRIES_PER_TASK))


def is_one_block(entries: int, partitions: int) -> bool:
    """Whether one worker sees all baskets at once, so that its counts are the counts."""
    return partitions == 1 and entries <= BLOCK_ENTRIES


def local_pairs(baskets: DataFrame, *, rows: int, n_items: int, min_count: int) -> DataFrame:
    """First pass of SON: pairs that are frequent in some block of baskets, with their count there.

    A pair in `min_count` of `rows` baskets is in at least that share of one block, so every frequent pair
    is found.  Rows may repeat a pair, once per block.

    Args:
        baskets: items array<int>, codes below `n_items`, ascending.
        rows: baskets, all of them: the share is exact.
        n_items: frequent items.
        min_count: baskets a pair must appear in.

    Source: Savasere, Omiecinski, Navathe 1995, "An Efficient Algorithm for Mining Association Rules in Large
    Databases".
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from basketlens.mine.cooccurrence import pair_counts

        for block in blocks(batches, entries=BLOCK_ENTRIES):
            here = len(block.starts) - 1
            share = max(1, -(-min_count * here // rows))  # rounded up, in Python's unbounded ints
            found = pair_counts(block, n_items=n_items, min_count=share)
            yield from to_batches(a=found.a, b=found.b, count=found.baskets)

    return baskets.mapInArrow(count, PAIRS)


def count_pairs(baskets: DataFrame, keys: NDArray[np.int64], *, n_items: int, min_count: int) -> DataFrame:
    """Second pass of SON: the candidates that are frequent in all baskets.

    Args:
        baskets: as in `local_pairs`.
        keys: the candidates by `candidates.pair_keys`; 16 bytes each in every worker.
        n_items: frequent items.
        min_count: baskets a pair must appear in.
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = np.zeros(len(keys), np.int64)
        for block in blocks(batches, entries=BLOCK_ENTRIES):
            counts += count_candidates(block, keys, n_items=n_items)
        seen = np.flatnonzero(counts)
        a, b = (keys[seen] // n_items).astype(np.int32), (keys[seen] % n_items).astype(np.int32)
        yield from to_batches(a=a, b=b, count=counts[seen])

    summed = baskets.mapInArrow(count, PAIRS).groupBy(A, B).agg(F.sum(c.COUNT).alias(c.COUNT))
    return summed.filter(F.col(c.COUNT) >= min_count)
