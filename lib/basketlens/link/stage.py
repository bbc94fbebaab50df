"""`link`: attention of every sold item over all others, by the vectors of their names or by trained projections."""

from collections.abc import Sequence
from functools import partial, reduce
from operator import and_
from typing import Any, Final, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import InputError, SettingsError
from basketlens.link.blocks import attention_rows, block_count, links_of, parts_of, vectors_of
from basketlens.link.budget import MIB, Load, plan
from basketlens.link.fields import DEVICE, GROUP, IS_SOLD, SCORE_ERROR, Task
from basketlens.masks import MASKS
from basketlens.settings import LinkSettings, Settings
from basketlens.stage_io import StageIO

LARGEST_SCALE: Final = 1e12  # beyond it, a score does not fit the table's float


class _Vectors(NamedTuple):
    """What `vectors` holds."""

    rows: DataFrame  # those that can be used
    items: int
    keys: int  # of them sold
    width: int  # numbers of an embedding
    query_width: int


def run(io: StageIO, settings: Settings) -> None:
    """`items`, `products`, `embeddings` -> `links`, `link_stats`, and `contexts` when asked for.

    Trained when there are `projections`.
    An item that was not sold, a new product, attends to the others and is nobody's neighbour.
    An item without keys, because it is alone or the mask hides all, has no links; its log_sum_exp is null, its
    top_mass and entropy are 0.  An item without an embedding, or without a row in `projections` when there are
    such, takes no part.

    Raises:
        InputError: the vectors are of several widths: they come from different models.
        SettingsError: link.scale is too large, or link.memory_mib too small.
    """
    link = settings.link
    is_trained = "projections" in settings.tables.read or io.has("projections")
    vectors = _vectors(io, link, is_trained=is_trained)
    top = max(1, min(link.top_k, vectors.keys - 1))
    context_width = vectors.width if link.write_context else 0
    load = Load(
        items=vectors.keys,
        width=vectors.query_width,
        top=top,
        context=context_width,
        is_trained=is_trained,
        is_masked=link.mask != "all",
        is_half=link.dtype == "bf16",
    )
    cut = plan(load, memory=link.memory_mib * MIB)
    task = Task(
        scale=1.0 if is_trained else _scale(link, vectors.width),
        top=top,
        key_shard=cut.keys,
        within=MASKS[link.mask].within,
        is_half=load.is_half,
        context_width=context_width,
        table="projections" if is_trained else "embeddings",
    )
    blocks = block_count(vectors.items, query_block=cut.queries, cores=io.cores)
    parts = parts_of(blocks, cores=io.cores)
    attention = io.write_parts(
        f"attention_{blocks}_{cut.keys}",  # another cluster or budget cuts other blocks
        [
            partial(attention_rows, vectors.rows, task, blocks=blocks, part=part, device=link.device)
            for part in parts
        ],
        doing=f"attention between {vectors.items:,} items",
    )
    io.write("links", links_of(attention), doing="writing links")
    io.write("link_stats", attention, doing="writing link_stats")
    if link.write_context:
        io.write("contexts", attention, doing="writing contexts")
    io.note(
        top_k=link.top_k,
        scale=None if is_trained else task.scale,
        mask=link.mask,
        blocks=blocks,
        key_shard=cut.keys,
        **_seen(io, attention),
    )


def _seen(io: StageIO, attention: DataFrame) -> dict[str, Any]:
    """What the tasks say of their work, the worst of each."""
    worst = attention.agg(*(F.max(name).alias(name) for name in (SCORE_ERROR, DEVICE)))
    frame = io.to_driver(worst, limit=1, what="rows of figures", doing="reading what tasks say")
    return {str(name): None if pd.isna(value) else value for name, value in frame.iloc[0].items()}


def _vectors(io: StageIO, link: LinkSettings, *, is_trained: bool) -> _Vectors:
    """Write the scratch table `vectors`, and note how many items take no part for which reason."""
    group = MASKS[link.mask].column
    vectors = vectors_of(
        io.read("items"),
        io.read("products"),
        io.read("embeddings"),
        level=link.level,
        group=group,
        projections=io.read("projections") if is_trained else None,
    )
    used = [c.EMBEDDING, *([c.QUERY, c.KEY] if is_trained else [])]
    is_used = reduce(and_, (F.col(name).isNotNull() for name in used))
    # As text, "384,64,64": the smallest and the largest are the same when all are, and it is one plain value.
    shape = F.when(is_used, F.concat_ws(",", *(F.size(name).cast("string") for name in used)))
    written = io.write(
        "vectors",
        vectors,
        doing="joining items and vectors",
        measures={
            "embedded": F.count(c.EMBEDDING),
            "used": F.count(shape),
            "keys": F.count(F.when(F.col(IS_SOLD), shape)),
            "grouped": F.count(F.when(is_used, F.col(GROUP if group else c.ITEM_ID))),
            "smallest": F.min(shape),
            "largest": F.max(shape),
        },
    )
    seen = written.measures
    items = seen["used"]
    widths = _widths(used, seen["smallest"], seen["largest"]) if items else [1]
    io.note(
        items=items,
        items_sold=seen["keys"],
        items_without_vector=written.rows - seen["embedded"],
        items_without_projection=seen["embedded"] - items,
        items_without_group=items - seen["grouped"],
    )
    return _Vectors(io.read("vectors").filter(is_used), items, seen["keys"], widths[0], widths[-1])


def _widths(used: Sequence[str], smallest: str, largest: str) -> list[int]:
    """Numbers of an embedding, and of queries and keys where there are such, proven to be the same in every row."""
    embedding, *projected = map(int, smallest.split(","))
    if smallest != largest or embedding == 0 or 0 in projected or len(set(projected)) > 1:
        raise InputError(
            f"The vectors for attention are not of one width above 0: {', '.join(used)} have {smallest} numbers in one"
            f" item, {largest} in another.\n"
            "  Wanted: one width in 'embeddings', and one for all queries and keys of 'projections'\n"
            "  Next: make all vectors of a table by one model"
        )
    return [embedding, *projected]


def _scale(link: LinkSettings, width: int) -> float:
    scale = link.scale_for(width)
    if scale > LARGEST_SCALE:
        raise SettingsError(
            f"link.scale = {scale:g} is too large: scores must fit a float. Allowed: up to {LARGEST_SCALE:g}"
        )
    return scale
