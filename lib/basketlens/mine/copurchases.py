"""The Gram matrix that EASE is solved from, exact to the last pair, from the baskets that are mined."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
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

_PARTNERS: Final = "partners"  # array<struct<others int, together long>>, ascending


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
    cells = gram_cells(baskets.select(level).coalesce(partitions), pa.array(top[c.ITEM_ID], pa.string()))
    top[c.PLACE] = top.index
    items = baskets.sparkSession.createDataFrame(top, f"{c.ITEM_ID} string, {c.PLACE} int")
    io.write("copurchases", gram_rows(items, cells), doing="counting all pairs of the most purchased items")
    return {"copurchases": {"items": len(top)}}


def most_purchased(sold: DataFrame, *, items: int) -> DataFrame:
    """item_id of the `items` items that most baskets hold; ties go to the smaller id."""
    counted = sold.groupBy(c.ITEM_ID).agg(F.count("*").alias(c.COUNT))
    return counted.orderBy(F.col(c.COUNT).desc(), c.ITEM_ID).limit(items).select(c.ITEM_ID)


def gram_cells(baskets: DataFrame, ids: pa.Array) -> DataFrame:
    """Cells a <= b of X'DX that are not 0, D being what each basket weighs by `ease.basket_weights`.

    A task holds the cells of its baskets, 12 bytes each, up to half the square of the items.

    Args:
        baskets: one column, array of distinct item ids; the items that are not among `ids` count in a basket's size.
        ids: of the items; an item's place here is its code.

    Returns:
        a, b (int codes) and count (long, 1,024ths of baskets), each cell once.
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from basketlens.ease import basket_weights
        from basketlens.mine.cooccurrence import WeightedCells

        cells = WeightedCells(len(ids))
        for gathered in gathered_lists(batches, entries=BLOCK_ENTRIES // 8):
            lists = pa.chunked_array(gathered).combine_chunks()
            cells.add(coded_block(lists, ids), basket_weights(lists.value_lengths().to_numpy()))
        for a, b, weight in cells.slices():
            yield from to_batches(a=a.astype(np.int32), b=b.astype(np.int32), count=weight)

    return baskets.mapInArrow(count, PAIRS).groupBy(A, B).agg(F.sum(c.COUNT).alias(c.COUNT))


def gram_rows(items: DataFrame, cells: DataFrame) -> DataFrame:
    """One row an item: its place, and the items from there on that it was bought with, itself the first.

    Args:
        items: item_id, place.
        cells: of `gram_cells`, codes being places.
    """
    partner = F.struct(F.col(B).alias(c.OTHERS), F.col(c.COUNT).alias(c.TOGETHER))
    rows = cells.groupBy(F.col(A).alias(c.PLACE)).agg(F.sort_array(F.collect_list(partner)).alias(_PARTNERS))
    lists = (F.col(f"{_PARTNERS}.{name}").alias(name) for name in (c.OTHERS, c.TOGETHER))
    return items.join(rows, c.PLACE).select(c.ITEM_ID, c.PLACE, *lists)
