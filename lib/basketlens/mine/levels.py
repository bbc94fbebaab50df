"""Mining one level: from baskets to coded itemsets of all sizes, each step written once."""

import logging
from collections.abc import Collection
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import LimitError
from basketlens.mine.baskets import sold_items
from basketlens.mine.candidates import pair_keys
from basketlens.mine.encoding import encode_baskets
from basketlens.mine.frequent import CODE, frequent_items
from basketlens.mine.growth import growth_partitions, larger_itemsets
from basketlens.mine.itemsets import coded_itemsets
from basketlens.mine.limits import (
    Level,
    TooManyPairs,
    Work,
    allowed_count,
    check_expected_pairs,
    too_many_pairs,
)
from basketlens.mine.pairs import A, B, count_pairs, is_one_block, local_pairs, partitions_for
from basketlens.mine.prune import prune_baskets
from basketlens.mine.shards import shards_for
from basketlens.mine.templates import coded_ids, has_any, with_sides, without_excluded
from basketlens.mine.triples import pairs_in_triples
from basketlens.mine.vertical import bitmap_itemsets
from basketlens.mine.wanted import look_for_ids

log = logging.getLogger(__name__)

PAIR: Final = 2  # items


class Pruned(NamedTuple):
    """What is left of the baskets for itemsets of three or more."""

    baskets: DataFrame
    rows: int
    work: Work


def mine_level(level: Level) -> tuple[DataFrame, dict[str, Any]]:
    """Coded itemsets of all sizes, and how many rows each step left.

    Where there are more pairs than `mine.max_pairs` and the support may be raised, the level is mined from its single
    items again, with the higher count.  Each is above the one before, and at last no pair is left: that is an error.

    Raises:
        LimitError: there are, or would be, more pairs or itemsets than the settings allow.
    """
    asked = level.min_count
    figures: dict[str, Any] = {}
    stopped: TooManyPairs | None = None
    while True:
        try:
            sets = mine_once(level, figures)
        except TooManyPairs as error:
            if level.mine.over_limit == "stop":
                raise
            stopped, level = error, level._replace(min_count=error.next_count)
            figures |= {"raised_from": asked, "mined_count": level.min_count}
            log.warning("%s Next is %d.", str(error).partition("\n")[0], level.min_count)
            continue
        if stopped and not figures["pairs"]:
            raise LimitError(
                f"{stopped}\n  Raised to {level.min_count:,} by mine.over_limit: no pair is left"
            )
        return sets, figures


def mine_once(level: Level, figures: dict[str, Any]) -> DataFrame:
    """Coded itemsets of all sizes; adds to the figures how many rows each step left.

    Raises:
        TooManyPairs: there are, or would be, more pairs than the settings allow.
        LimitError: more itemsets.
    """
    io, name = level.io, level.name
    sold = sold_items(io.read("baskets"), name)
    unknown = look_for_ids(io, sold, level.template, name)
    io.write(
        level.scratch("frequent"),
        frequent_items(without_excluded(sold, level.template), min_count=level.min_count),
        doing=f"counting single items ({name})",
    )
    items = io.read(level.scratch("frequent"))
    singles = io.to_driver(
        items.select(c.ITEM_ID, c.COUNT, CODE), limit=level.mine.max_pairs,
        what=f"frequent items to hold at level {name} (raise mine.min_support or mine.min_count, or mine.max_pairs)",
        doing=f"collecting items ({name})",
    ).sort_values(CODE, ignore_index=True)  # fmt: skip
    figures |= {"items": len(singles), "pairs": 0, "larger": 0, "pruned_baskets": 0}
    if unknown:
        figures["unknown_ids"] = unknown
    figures["pairs"] = mine_pairs(level, singles, figures)
    if not figures["pairs"]:
        return coded_itemsets(items, None, None)
    pairs = io.read(level.scratch("pairs"))
    wanted = coded_ids(singles, level.template.must_contain)
    if level.mine.max_size == PAIR or (level.template.must_contain and not wanted):
        return coded_itemsets(items, pairs, None)
    larger, level = mine_larger(level, singles, pairs, wanted, figures)
    sets = coded_itemsets(items, pairs, larger)
    if wanted and larger is not None:
        sets = with_sides(sets, io.read(level.scratch("coded")), items, wanted)
    if figures.get("raised_from"):
        sets = sets.filter(F.col(c.COUNT) >= level.min_count)
    return sets


def mine_pairs(level: Level, singles: pd.DataFrame, figures: dict[str, Any]) -> int:
    """Write scratch `coded` and `pairs`, unless it is plain that there is no pair; how many there are.

    Raises:
        TooManyPairs: more than `mine.max_pairs` are expected, before any is counted; or there are more.
    """
    io, name, n_items = level.io, level.name, len(singles)
    if n_items < PAIR:
        return 0
    entries = int(singles[c.COUNT].sum())
    partitions = partitions_for(entries, cores=io.cores, wanted=level.mine.partitions)
    ids = pa.array(singles[c.ITEM_ID])
    encoded = encode_baskets(io.read("baskets"), name, ids, max_items=level.mine.max_basket_items)
    if level.mine.partitions:
        encoded = encoded.repartition(partitions)
    written = io.write(
        level.scratch("coded"), encoded, doing=f"encoding baskets ({name})", measures=basket_moments()
    )
    figures["pair_cells"] = Work.of(written).cells
    if written.rows < level.min_count:
        return 0
    check_expected_pairs(level, singles, cells=figures["pair_cells"], figures=figures)
    coded = io.read(level.scratch("coded")).coalesce(partitions)
    pairs = local_pairs(coded, rows=written.rows, n_items=n_items, min_count=level.min_count)
    if not is_one_block(entries, partitions):
        local = io.write(level.scratch("local_pairs"), pairs, doing=f"finding candidate pairs ({name})")
        candidates = io.read(level.scratch("local_pairs")).select(A, B).distinct()
        found = on_driver(
            level, candidates, what="candidate pairs", rows=local.rows // partitions,  # most are found in every one
            cells=figures["pair_cells"], singles=singles,
        )  # fmt: skip
        if not len(found):
            return 0
        pairs = count_pairs(coded, keys_of(found, n_items), n_items=n_items, min_count=level.min_count)
    return io.write(level.scratch("pairs"), pairs, doing=f"counting pairs ({name})").rows


def mine_larger(
    level: Level, singles: pd.DataFrame, pairs: DataFrame, wanted: Collection[int], figures: dict[str, Any]
) -> tuple[DataFrame | None, Level]:
    """Itemsets of size 3 and more, written once; None when too few baskets can hold one.

    Also the level as it was mined: with a higher count when the guard has raised it.  Where there are `wanted` codes
    only baskets with one of them are mined: see `templates.with_sides`.
    """
    io, name, n_items = level.io, level.name, len(singles)
    found = on_driver(
        level, pairs, what="pairs", rows=figures["pairs"], cells=figures["pair_cells"], singles=singles
    )
    coded = io.read(level.scratch("coded"))
    if wanted:
        coded = coded.filter(has_any(c.ITEMS, wanted))
    pruned = prune(level, coded, keys_of(found, n_items), n_items=n_items, to="pruned")
    figures["pruned_baskets"] = pruned.rows
    if pruned.rows < level.min_count:
        return None, level
    min_count = allowed_count(level, singles, found[c.COUNT], pruned.baskets, pruned.work, figures)
    if min_count > level.min_count:
        figures.setdefault("raised_from", level.min_count)
        figures |= {
            "mined_count": min_count,
            "items": int((singles[c.COUNT] >= min_count).sum()),
            "pairs": int((found[c.COUNT] >= min_count).sum()),
        }
        level = level._replace(min_count=min_count)
    is_bitmap = level.mine.engine == "bitmap"
    mined = bitmaps(level, pruned, n_items) if is_bitmap else grown(level, pruned, n_items, figures)
    if mined is None:
        return None, level
    figures["larger"] = io.write(
        level.scratch("larger"), mined, doing=f"growing larger itemsets ({name})"
    ).rows
    return io.read(level.scratch("larger")), level


def prune(level: Level, coded: DataFrame, keys: NDArray[np.int64], *, n_items: int, to: str) -> Pruned:
    """Write a scratch table of coded baskets that are pruned by frequent pairs."""
    written = level.io.write(
        level.scratch(to),
        prune_baskets(coded, keys, n_items=n_items),
        doing=f"pruning baskets ({level.name})",
        measures=basket_moments(),
    )
    return Pruned(level.io.read(level.scratch(to)), written.rows, Work.of(written))


def grown(level: Level, pruned: Pruned, n_items: int, figures: dict[str, Any]) -> DataFrame | None:
    """By MLlib, on baskets that are pruned once more; None when too few are left."""
    found = pairs_in_triples(
        pruned.baskets, n_items=n_items, min_count=level.min_count,
        shards=shards_of(level, pruned.work, n_items),
    )  # fmt: skip
    # No more than there are frequent pairs, which the driver holds already.
    pairs = level.io.to_driver(
        found, limit=figures["pairs"], what="pairs in triples", doing=f"finding triples ({level.name})"
    )
    if not len(pairs):
        return None
    core = prune(level, pruned.baskets, keys_of(pairs, n_items), n_items=n_items, to="core")
    return larger_itemsets(
        core.baskets, rows=core.rows, min_count=level.min_count, max_size=level.mine.max_size,
        partitions=growth_partitions(core.work.entries, cores=level.io.cores),
    )  # fmt: skip


def bitmaps(level: Level, pruned: Pruned, n_items: int) -> DataFrame:
    """By our own search."""
    return bitmap_itemsets(
        pruned.baskets, n_items=n_items, min_count=level.min_count, max_size=level.mine.max_size,
        shards=shards_of(level, pruned.work, n_items),
    )  # fmt: skip


def shards_of(level: Level, work: Work, n_items: int) -> int:
    """Shards for a search of pruned baskets."""
    return shards_for(work.cells, entries=work.entries, cores=level.io.cores, n_items=n_items)


def basket_moments() -> dict[str, Column]:
    """Measures of a write of coded baskets: the first two moments of their size, as `Work` reads them."""
    size = F.size(c.ITEMS).cast("long")
    return {"entries": F.sum(size), "cells": F.sum(F.expr(f"size({c.ITEMS}) * (size({c.ITEMS}) - 1L) div 2"))}


def on_driver(
    level: Level, pairs: DataFrame, *, what: str, rows: int, cells: int, singles: pd.DataFrame
) -> pd.DataFrame:
    """Distinct pairs, with what else the table has, at most `mine.max_pairs`: for the workers' closures.

    Where they are more, about `rows` says how many, and `cells` how many there are within baskets.

    Raises:
        TooManyPairs: there are more.
    """
    limit = level.mine.max_pairs
    frame = level.io.to_driver(
        pairs.limit(limit + 1), limit=limit + 1, what=what, doing=f"collecting {what} ({level.name})"
    )
    if len(frame) > limit:
        raise too_many_pairs(level, what, rows=rows, cells=cells, singles=singles)
    return frame


def keys_of(pairs: pd.DataFrame, n_items: int) -> NDArray[np.int64]:
    """Pairs as ascending keys of 8 bytes."""
    return pair_keys(pairs[A].to_numpy(), pairs[B].to_numpy(), n_items=n_items)
