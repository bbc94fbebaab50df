"""The Gram matrix X'X of the most purchased items, exact to the last pair, from the baskets that are mined."""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.baskets import sold_items
from basketlens.mine.blocks import BLOCK_ENTRIES, gathered_lists, to_batches
from basketlens.mine.encoding import coded_block
from basketlens.mine.pairs import PAIRS, A, B, partitions_for
from basketlens.settings import Settings
from basketlens.stage_io import StageIO

_PARTNERS: Final = "partners"  # array<struct<others int, together int>>, ascending


def write_copurchases(io: StageIO, settings: Settings, *, entries: int) -> dict[str, Any]:
    """Write `copurchases`, which `serve` solves EASE from, unless nothing will be recommended; its figures.

    It reads the baskets that this stage has made from the lines already.  Baskets of more than
    `mine.max_basket_items` items are left out, as in training, whatever `mine.large_baskets` says.

    Args:
        io: of the stage.
        settings: of the run.
        entries: lines of all baskets, at least as many as they hold items.
    """
    level, mine = settings.report.level, settings.mine
    if not settings.serve.recommendations or level not in mine.levels:
        return {}
    baskets = io.read("baskets").filter(F.size(level) <= mine.max_basket_items)
    most = settings.ease.max_items
    top = io.to_driver(
        most_purchased(sold_items(baskets, level), items=most),
        limit=most, what="items of EASE", doing="choosing the most purchased items",
    ).sort_values(c.ITEM_ID, ignore_index=True)  # fmt: skip
    if top.empty:
        return {}
    partitions = partitions_for(entries, cores=io.cores, wanted=mine.partitions)
    pairs = all_pairs(baskets.select(level).coalesce(partitions), pa.array(top[c.ITEM_ID], pa.string()))
    top[c.PLACE] = top.index
    items = pairs.sparkSession.createDataFrame(top, f"{c.ITEM_ID} string, {c.BASKETS} long, {c.PLACE} int")
    io.write("copurchases", gram_rows(items, pairs), doing="counting all pairs of the most purchased items")
    return {"copurchases": {"items": len(top)}}


def most_purchased(sold: DataFrame, *, items: int) -> DataFrame:
    """item_id and baskets of the `items` items that most baskets hold; ties go to the smaller id."""
    counted = sold.groupBy(c.ITEM_ID).agg(F.count("*").alias(c.BASKETS))
    return counted.orderBy(F.col(c.BASKETS).desc(), c.ITEM_ID).limit(items)


def all_pairs(baskets: DataFrame, ids: pa.Array) -> DataFrame:
    """Baskets that hold both, of every pair of these items that occurs.

    Each task holds the pairs of its baskets, 12 bytes each and as many again while it adds a block: up to half the square
    of the items.

    Args:
        baskets: one column, array of distinct item ids.
        ids: of the items; an item's place here is its code.

    Returns:
        a < b (int codes) and count (long), each pair once.
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from scipy.sparse import csr_array

        from basketlens.mine.cooccurrence import pair_counts

        n = len(ids)
        total = csr_array((n, n), dtype="int32")
        for lists in gathered_lists(batches, entries=BLOCK_ENTRIES // 8):
            block = coded_block(pa.chunked_array(lists).combine_chunks(), ids)
            found = pair_counts(block, n_items=n, min_count=1)
            total += csr_array((found.baskets.astype("int32"), (found.a, found.b)), shape=(n, n))
        cells = total.tocoo()
        yield from to_batches(
            a=cells.row.astype("int32"), b=cells.col.astype("int32"), count=cells.data.astype("int64")
        )

    return baskets.mapInArrow(count, PAIRS).groupBy(A, B).agg(F.sum(c.COUNT).alias(c.COUNT))


def gram_rows(items: DataFrame, pairs: DataFrame) -> DataFrame:
    """One row an item: its place and baskets, and the items of higher places that it was bought with.

    Args:
        items: item_id, baskets, place.
        pairs: of `all_pairs`, codes being places.
    """
    partner = F.struct(F.col(B).alias(c.OTHERS), F.col(c.COUNT).cast("int").alias(c.TOGETHER))
    rows = pairs.groupBy(F.col(A).alias(c.PLACE)).agg(F.sort_array(F.collect_list(partner)).alias(_PARTNERS))
    joined = items.join(rows, c.PLACE, "left")
    none = F.array().cast("array<int>")
    return joined.select(
        c.ITEM_ID,
        c.PLACE,
        c.BASKETS,
        *(F.coalesce(F.col(f"{_PARTNERS}.{name}"), none).alias(name) for name in (c.OTHERS, c.TOGETHER)),
    )
