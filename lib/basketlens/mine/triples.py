"""The frequent pairs that are worth a search: those inside a frequent set of three."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import types as T

from basketlens.mine.bitmap import itemsets
from basketlens.mine.blocks import to_batches
from basketlens.mine.pairs import A, B
from basketlens.mine.shards import by_shard, sharded
from basketlens.mine.vertical import gathered

_PAIR: Final = T.StructType([T.StructField(A, T.IntegerType()), T.StructField(B, T.IntegerType())])
_TRIPLE: Final = 3  # items
_AT_ONCE: Final = 1_000_000  # triples whose pairs are sorted together


def pairs_in_triples(baskets: DataFrame, *, n_items: int, min_count: int, shards: int) -> DataFrame:
    """Pairs that lie in a set of three which is in `min_count` baskets or more, each once.

    Every pair inside a frequent set of three or more is one of them, so baskets may be pruned by these alone.
    FP-growth pays for every item that is left in a basket, triples by bitmaps are cheap.

    Args:
        baskets: pruned: items array<int>, ascending, codes below `n_items`.
        n_items: frequent items.
        min_count: baskets a set must appear in.
        shards: from `shards.shards_for`.
    """
    everything = np.ones(n_items, np.bool_)

    def search(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for shard, block in by_shard(batches):
            mine = np.arange(n_items) % shards == shard
            keys = np.empty(0, np.int64)
            triples = itemsets(block, mine, min_count=min_count, min_size=_TRIPLE, max_size=_TRIPLE)
            for found in gathered(triples, sets=_AT_ONCE):
                low, middle, high = found.items.astype(np.int64).T
                new = np.concatenate([low * n_items + middle, low * n_items + high, middle * n_items + high])
                keys = np.union1d(keys, new)
            yield from to_batches(a=(keys // n_items).astype(np.int32), b=(keys % n_items).astype(np.int32))

    return sharded(baskets, everything, shards=shards).mapInArrow(search, _PAIR).distinct()
