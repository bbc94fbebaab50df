"""`link`: attention of every sold item over all others, by the vectors of their names."""

from typing import Final

from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import InputError, SettingsError
from basketlens.link.blocks import attention_rows, block_count, links_of, vectors_of
from basketlens.link.fields import GROUP, Task
from basketlens.masks import MASKS
from basketlens.settings import Settings
from basketlens.stage_io import StageIO

LARGEST_SCALE: Final = 1e12  # beyond it, a score does not fit the table's float


def run(io: StageIO, settings: Settings) -> None:
    """`items`, `products`, `embeddings` -> `links`, `link_stats`.

    An item without keys, because it is alone or the mask hides all, has no links; its log_sum_exp is null, its
    top_mass and entropy are 0.

    Raises:
        InputError: the embeddings are of several widths: they come from different models.
        SettingsError: link.scale is too large.
    """
    link = settings.link
    mask = MASKS[link.mask]
    vectors = vectors_of(
        io.read("items"), io.read("products"), io.read("embeddings"), level=link.level, group=mask.column
    )
    width = F.size(c.EMBEDDING)
    is_embedded = F.col(c.EMBEDDING).isNotNull()
    written = io.write(
        "vectors",
        vectors,
        doing="joining items and vectors",
        measures={
            "embedded": F.count(c.EMBEDDING),
            "narrowest": F.min(F.when(is_embedded, width)),
            "widest": F.max(F.when(is_embedded, width)),
            "grouped": F.count(F.when(is_embedded, F.col(GROUP))) if mask.column else F.count(c.EMBEDDING),
        },
    )
    items, narrowest, widest = (written.measures[name] for name in ("embedded", "narrowest", "widest"))
    if narrowest != widest or widest == 0:
        raise InputError(
            f"Table 'embeddings' has vectors of {narrowest} to {widest} numbers; attention needs one width above 0.\n"
            "  Next: embed all names by one model"
        )
    scale = link.scale_for(widest or 1)
    if scale > LARGEST_SCALE:
        raise SettingsError(
            f"link.scale = {scale:g} is too large: scores must fit a float. Allowed: up to {LARGEST_SCALE:g}"
        )
    attention = attention_rows(
        io.read("vectors").filter(is_embedded),
        Task(scale, max(1, min(link.top_k, items - 1)), link.key_shard, mask.within),
        blocks=block_count(items, query_block=link.query_block, cores=io.cores),
    )
    io.write("attention", attention, doing=f"attention between {items:,} items")
    io.write("links", links_of(io.read("attention")), doing="writing links")
    io.write("link_stats", io.read("attention"), doing="writing link_stats")
    io.note(
        items=items,
        items_without_vector=written.rows - items,
        items_without_group=items - written.measures["grouped"],
        top_k=link.top_k,
        scale=scale,
        mask=link.mask,
    )
