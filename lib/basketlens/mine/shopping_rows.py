"""Baskets as rows for `customer_shards`: coded items with the money paid for each."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens.lanes import lanes
from basketlens.mine.baskets import BASKET
from basketlens.mine.customer_shards import (
    ABSENT,
    CODES,
    HELD_OUT,
    ID,
    MINED,
    PART,
    ROWS,
    SHARD,
    STRATUM,
)
from basketlens.mine.facts import CUSTOMER, MONEY, SOLD, TOTAL


def basket_rows(
    baskets: DataFrame, level: str, ids: pa.Array, *, shards: int, is_held_out: bool
) -> DataFrame:
    """Baskets that hold a frequent item, each in the shard of its customer.

    A basket without a customer goes to the shard of its own number.

    Args:
        baskets: basket, customer, total, stratum (int, null = none), sold.
        level: a field of `sold`.
        ids: the frequent items; an item's place is its code.
        shards: from `customer_shards.shards_for`.
        is_held_out: which of the two kinds they are.
    """
    labels = np.array(lanes(shards), np.int32)
    part = HELD_OUT if is_held_out else MINED

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield coded_rows(batch, ids, labels=labels, part=part)

    wanted = baskets.select(
        F.coalesce(CUSTOMER, BASKET).alias(SHARD),
        CUSTOMER,
        F.coalesce(TOTAL, F.lit(0)).alias(TOTAL),
        F.col(STRATUM).cast("int").alias(STRATUM),
        F.col(SOLD).getField(level).alias("items"),
        F.col(SOLD).getField(MONEY).alias(MONEY),
    )
    return wanted.mapInArrow(encode, ROWS)


def coded_rows(batch: pa.RecordBatch, ids: pa.Array, *, labels: np.ndarray, part: int) -> pa.RecordBatch:
    """One batch: distinct codes ascending, what was paid for each (unknown counts as nothing), no empty basket."""
    lists = batch.column("items")
    codes = pc.fill_null(pc.index_in(lists.flatten().cast(ids.type), value_set=ids), -1).to_numpy()
    paid = pc.fill_null(batch.column(MONEY).flatten(), 0).to_numpy()
    basket = np.repeat(np.arange(batch.num_rows), pc.fill_null(lists.value_lengths(), 0).to_numpy())
    frequent = np.flatnonzero(codes >= 0)
    keys = basket[frequent] * max(len(ids), 1) + codes[frequent]
    order = np.argsort(keys, kind="stable")
    keys, paid = keys[order], paid[frequent][order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    items = keys[first]
    sizes = np.bincount(items // max(len(ids), 1), minlength=batch.num_rows)
    kept = np.flatnonzero(sizes)
    starts = pa.array(np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int32))
    money = np.add.reduceat(paid, first) if len(first) else np.empty(0, np.int64)
    known = batch.take(pa.array(kept))
    columns = {
        SHARD: labels[known.column(SHARD).to_numpy() % len(labels)],
        PART: np.full(len(kept), part, np.int32),
        CUSTOMER: known.column(CUSTOMER),
        ID: pa.nulls(len(kept), pa.int64()),
        CODES: pa.ListArray.from_arrays(starts, pa.array((items % max(len(ids), 1)).astype(np.int32))),
        MONEY: pa.ListArray.from_arrays(starts, pa.array(money)),
        TOTAL: known.column(TOTAL),
        ABSENT: pa.nulls(len(kept), pa.int32()),
        STRATUM: known.column(STRATUM),
    }
    return pa.RecordBatch.from_pydict(columns)


def query_rows(queries: DataFrame, *, shards: int) -> DataFrame:
    """Every query once for each shard.

    Args:
        queries: id long, items array<int> ascending, absent int or null.
        shards: as of the baskets.
    """
    labels = F.array(*map(F.lit, lanes(shards)))
    return queries.select(
        F.explode(labels).alias(SHARD),
        F.lit(0).alias(PART),
        F.lit(None).cast("long").alias(CUSTOMER),
        ID,
        F.col("items").alias(CODES),
        F.lit(None).cast("array<long>").alias(MONEY),
        F.lit(None).cast("long").alias(TOTAL),
        ABSENT,
        F.lit(None).cast("int").alias(STRATUM),
    )
