"""Whether mining would find more than anybody can use: foreseen before it is begun."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

from basketlens.mine.blocks import to_batches
from basketlens.mine.frequent import CODE
from basketlens.mine.probing import expected_itemsets, sampled_prefixes
from basketlens.mine.shards import by_shard, sharded, shards_for

RUNG: Final = "rung"  # int, which of the counts that were asked for
SETS: Final = "sets"  # double, itemsets of three or more that start with the item `code`
_CELLS: Final = 200_000_000  # pairs within baskets that are looked at: a minute or two of one core


class Foreseen(NamedTuple):
    """What mining would find."""

    itemsets: float  # of all sizes
    richest: tuple[int, ...]  # codes of the items that most of them start with, the most first


def prefix_share(cells: int) -> float:
    """Share of the prefix items that is looked at, 0..1: all, unless the baskets hold very many pairs."""
    return min(1.0, _CELLS / cells) if cells else 1.0


def sampled_itemsets(
    baskets: DataFrame,
    *,
    n_items: int,
    counts: tuple[int, ...],
    max_size: int,
    cells: int,
    entries: int,
    cores: int,
) -> DataFrame:
    """The expected itemsets below each prefix item of a sample, for each of several counts.

    Args:
        baskets: pruned: items array<int>, ascending, codes below `n_items`.
        n_items: frequent items.
        counts: baskets that an itemset must appear in; each is answered.
        max_size: items.
        cells: pairs of items over all the baskets.
        entries: items over all the baskets.
        cores: tasks that run at once.

    Returns:
        rung int (place in `counts`), code int, sets double; only where there are some.
    """
    share = prefix_share(cells)
    chosen = sampled_prefixes(n_items, share)
    shards = shards_for(int(cells * share), entries=entries, cores=cores, n_items=n_items)

    def probe(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for shard, block in by_shard(batches):
            mine = chosen & (np.arange(n_items) % shards == shard)
            for rung, min_count in enumerate(counts):
                found = expected_itemsets(block, mine, min_count=min_count, max_size=max_size)
                yield from to_batches(
                    rung=np.full(len(found.codes), rung, np.int32), code=found.codes, sets=found.sets
                )

    rows = sharded(baskets, chosen, shards=shards)
    return rows.mapInArrow(probe, f"{RUNG} int, {CODE} int, {SETS} double")


def foreseen(found: pd.DataFrame, *, rung: int, smaller: int, share: float) -> Foreseen:
    """All itemsets, from the rows of `sampled_itemsets` for one count.

    Args:
        found: rung, code, sets.
        rung: which count.
        smaller: single items and pairs, which are counted already.
        share: of the prefix items that was sampled.
    """
    here = found[found[RUNG] == rung].sort_values([SETS, CODE], ascending=False)  # one order, one sum
    richest = tuple(int(code) for code in here[CODE].head(5))
    return Foreseen(smaller + float(here[SETS].sum()) / share, richest)
