"""Itemsets measured again on their baskets: distinct customers, money, held-out baskets, strata."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.blocks import to_batches
from basketlens.mine.customer_shards import ID, MINED, PART, QUERY, SHARD, STRATUM, asked, by_shard, shoppings
from basketlens.mine.facts import CUSTOMER
from basketlens.mine.shopping_rows import query_rows
from basketlens.mine.tally import Strata, Tally

PAID: Final = "paid"  # long, 1 / facts.MONEY_UNITS of the currency, in all baskets behind the query
PAID_ITEMS: Final = "paid_items"  # long, the same for the query's own items
HELD_OUT: Final = "held_out"  # long, held-out baskets behind the query
STRATA: Final = "strata"  # array<struct<stratum int, count long>>, ascending, strata without baskets left out
_SUMS: Final = (c.COUNT, c.CUSTOMERS, PAID, PAID_ITEMS, HELD_OUT)
_FOUND: Final = f"{ID} long, {STRATUM} int, " + ", ".join(f"{name} long" for name in _SUMS)


def measured(
    queries: DataFrame, baskets: DataFrame, *, shards: int, n_items: int, max_items: int
) -> DataFrame:
    """What the baskets behind each query add up to; one pass, nothing approximate.

    Every shard holds all baskets of its customers and gets every query, so that sums over shards are the sums over
    all baskets, for distinct customers too.  A task holds the queries of a shard (itemsets of four items: some
    150 bytes each) and streams the shard's baskets by blocks of `blocks.BLOCK_ENTRIES` items.  What crosses the
    wire: the baskets once, queries x shards on the way in, and on the way out as many sums (with strata: one count
    for each stratum that a query has baskets in).

    Args:
        queries: id long (distinct), items array<int> ascending, absent int or null; each query once.
        baskets: from `shopping_rows.basket_rows`, of both kinds.
        shards: as there.
        n_items: frequent items.
        max_items: as in `walk.index_of`.

    Returns:
        id; over the mined baskets count, customers, paid, paid_items, strata; held_out.  Queries that no basket is
        behind are left out.
    """

    def tally(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for pieces in by_shard(batches):
            yield from _shard_sums(pieces, n_items=n_items, max_items=max_items)

    together = query_rows(queries, shards=shards).unionByName(baskets)
    shuffled = together.repartition(shards, SHARD).sortWithinPartitions(SHARD, PART, CUSTOMER)
    found = shuffled.mapInArrow(tally, _FOUND)
    sums = [F.sum(name).alias(name) for name in _SUMS]
    per_stratum = found.groupBy(ID, STRATUM).agg(*sums)
    of_all = F.col(STRATUM).isNull()
    entry = F.when(~of_all, F.struct(STRATUM, c.COUNT))
    return per_stratum.groupBy(ID).agg(
        *(F.sum(F.when(of_all, F.col(name))).alias(name) for name in _SUMS),
        F.sort_array(F.collect_list(entry)).alias(STRATA),  # leaves nulls out
    )


def _shard_sums(
    pieces: Iterator[tuple[int, pa.RecordBatch]], *, n_items: int, max_items: int
) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    for part, rows in pieces:
        if part != QUERY:
            pieces = chain([(part, rows)], pieces)
            break
        held.append(rows)
    if not held:
        return
    ids, queries = asked(held)
    held.clear()
    tally = Tally(queries, n_items=n_items, max_items=max_items)
    for part, block in shoppings(pieces):
        if part == MINED:
            for strata in tally.add(block):
                yield from _strata_rows(strata, ids)
        else:
            tally.add_held_out(block)
    yield from _sum_rows(tally, ids)


def _strata_rows(strata: Strata, ids: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    nothing = np.zeros(len(strata.query), np.int64)
    others = {name: nothing for name in _SUMS if name != c.COUNT}
    yield from to_batches(id=ids[strata.query], stratum=strata.stratum, **{c.COUNT: strata.baskets}, **others)


def _sum_rows(tally: Tally, ids: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    seen = np.flatnonzero(tally.count + tally.held_out)
    sums = (tally.count, tally.customers, tally.total, tally.spent, tally.held_out)
    columns = {name: values[seen] for name, values in zip(_SUMS, sums, strict=True)}
    yield from to_batches(id=ids[seen], stratum=pa.nulls(len(seen), pa.int32()), **columns)
