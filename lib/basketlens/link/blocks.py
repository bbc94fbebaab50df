"""The plan of `link`: every block of queries meets all keys in one task of its own.

Keys are copied to each block by the shuffle, n x blocks rows in all, and stream through the task: no table of
vectors passes the driver, and no task holds more than its queries and one shard of keys.
"""

import math
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens import schemas
from basketlens.devices import map_on_device, task_device
from basketlens.lanes import lanes
from basketlens.link.fields import (
    ATTENTIONS,
    BLOCK,
    DEVICE,
    GROUP,
    IS_KEY,
    IS_SOLD,
    LANE,
    NEIGHBOR_IDS,
    SCORE_ERROR,
    SCORES,
    VALUE,
    VECTOR,
    Task,
)

ATTENTION_ROWS: Final = T.StructType(
    [
        *schemas.LINK_STATS.fields,
        T.StructField(NEIGHBOR_IDS, T.ArrayType(T.StringType())),
        T.StructField(SCORES, T.ArrayType(T.FloatType())),
        T.StructField(ATTENTIONS, T.ArrayType(T.DoubleType())),
        T.StructField(c.CONTEXT, T.ArrayType(T.FloatType())),
        T.StructField(SCORE_ERROR, T.DoubleType()),
        T.StructField(DEVICE, T.StringType()),
    ]
)


def vectors_of(
    items: DataFrame,
    products: DataFrame,
    embeddings: DataFrame,
    *,
    level: str,
    group: str | None = None,
    projections: DataFrame | None = None,
) -> DataFrame:
    """item_id, embedding and is_sold of the items of a level; embedding is null where there is none.

    With `group`, a column of `items`, also that column under the name `group`; with `projections` also query, key
    and bias, null where there are none.
    """
    groups = [F.col(group).alias(GROUP)] if group else []
    is_sold = (F.col(c.LINES) > 0).alias(IS_SOLD)
    wanted = items.filter(F.col(c.LEVEL) == level).select(c.ITEM_ID, is_sold, *groups)
    if level == "name":
        named = wanted.withColumn(c.NAME_HASH, F.col(c.ITEM_ID))
    else:
        names = products.select(F.col(c.PRODUCT_ID).alias(c.ITEM_ID), c.NAME_HASH)
        named = wanted.join(names, c.ITEM_ID, "left")
    embedded = named.join(embeddings.select(c.NAME_HASH, c.EMBEDDING), c.NAME_HASH, "left").select(
        c.ITEM_ID, c.EMBEDDING, IS_SOLD, *([GROUP] if group else [])
    )
    return embedded if projections is None else embedded.join(projections, c.ITEM_ID, "left")


def block_count(items: int, *, query_block: int, cores: int) -> int:
    """Blocks of about `query_block` queries, as many as fill whole rounds of `cores` tasks; never more than items."""
    rounds = math.ceil(items / (query_block * cores))
    return max(1, min(items, max(1, rounds) * cores))


def parts_of(blocks: int, *, cores: int) -> list[range]:
    """The blocks cut into parts that are computed one after another: a part fills the cores once."""
    return [range(start, min(start + cores, blocks)) for start in range(0, blocks, cores)]


def attention_rows(
    vectors: DataFrame, task: Task, *, blocks: int, part: range | None = None, device: str
) -> DataFrame:
    """Attention of every item of some blocks over all others that were sold: one row per item, as `ATTENTION_ROWS`.

    Args:
        vectors: item_id (unique), embedding, is_sold, and query, key and bias where trained (each of one width, none null), and group where
            the task has a mask.
        task: what is computed.  Ties go to the lower item id.
        blocks: that the items are cut into; see `block_count`.
        part: which of the blocks, a Spark task each; all by default.
        device: `auto`, `cpu` or `cuda`; see `devices.task_device`.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from basketlens.link.streaming import attention_pages  # torch lives on executors only

        return attention_pages(batches, task, device=task_device(device, setting="link.device"))

    is_trained = c.QUERY in vectors.columns
    query, key = (c.QUERY, c.KEY) if is_trained else (c.EMBEDDING, c.EMBEDDING)
    more = [name for name in (c.BIAS, GROUP) if name in vectors.columns]
    has_values = is_trained and task.context_width > 0
    value = [F.col(c.EMBEDDING).alias(VALUE)] if has_values else []
    no_value = [F.lit(None).cast("array<float>").alias(VALUE)] if has_values else []
    # By hash of the id, so that a block does not depend on how the input is partitioned.
    part = range(blocks) if part is None else part
    own_block = F.pmod(F.xxhash64(c.ITEM_ID), F.lit(blocks)).cast("int")
    every_block = F.explode(F.sequence(F.lit(part[0]), F.lit(part[-1])))
    queries = vectors.filter(own_block.between(part[0], part[-1])).select(
        own_block.alias(BLOCK),
        F.lit(False).alias(IS_KEY),
        c.ITEM_ID,
        F.col(query).alias(VECTOR),
        *more,
        *no_value,
    )
    keys = vectors.filter(IS_SOLD).select(
        every_block.alias(BLOCK),
        F.lit(True).alias(IS_KEY),
        c.ITEM_ID,
        F.col(key).alias(VECTOR),
        *more,
        *value,
    )
    lane = F.element_at(F.array(*map(F.lit, lanes(len(part)))), F.col(BLOCK) - part[0] + 1)
    # Within groups, all that tie are of one group: neighbours stay in order of their ids, and tiles can be left out.
    order = [GROUP, c.ITEM_ID] if task.within else [c.ITEM_ID]
    return (
        queries.unionByName(keys)
        .withColumn(LANE, lane)
        .repartition(len(part), LANE)
        .sortWithinPartitions(BLOCK, IS_KEY, *order)
        .drop(LANE)
        .transform(map_on_device, run, ATTENTION_ROWS, wanted=device)
    )


def links_of(attention: DataFrame) -> DataFrame:
    """One row per item and neighbour, rank 1 the strongest."""
    each = F.posexplode(F.arrays_zip(NEIGHBOR_IDS, SCORES, ATTENTIONS)).alias("position", "link")
    return attention.select(c.ITEM_ID, each).select(
        c.ITEM_ID,
        F.col(f"link.{NEIGHBOR_IDS}").alias(c.NEIGHBOR_ID),
        (F.col("position") + 1).alias(c.RANK),
        F.col(f"link.{SCORES}").alias(c.SCORE),
        F.col(f"link.{ATTENTIONS}").alias(c.ATTENTION),
    )
