"""The plan of `recommendations`: the model, once for each task, and that task's baskets."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas
from basketlens.errors import LimitError
from basketlens.lanes import lanes
from basketlens.serve.fields import (
    BASKET,
    BOUGHT,
    CUSTOMER,
    ITEM,
    KEY_ID,
    NAME,
    OTHER_BASKETS,
    OTHER_RECENT,
    RECENT,
    ROW_KIND,
    TIMES,
    WEIGHT,
    WEIGHTS,
    Options,
)  # fmt: skip

MIB: Final = 1 << 20
CELLS: Final = 1 << 22  # scores at once: 16 MiB, and ten times that with what they are made of
_FEWEST: Final = 2_000  # baskets of a task, below which another task would do little but read the model
_MOST: Final = 100_000  # baskets of a task; more make a task long, fewer send the model more often
_TASK: Final = "task_number"  # int
_LANE: Final = "lane"  # int, sends a task's rows to a partition of its own
_TYPES: Final = {
    KEY_ID: "string", NAME: "string", c.QUERY: "array<float>", c.KEY: "array<float>", c.BIAS: "double",
    WEIGHTS: "binary", c.ITEMS: "array<string>", CUSTOMER: "string", BOUGHT: "array<string>", TIMES: "array<int>",
    RECENT: "array<long>", OTHER_BASKETS: "int", OTHER_RECENT: "long",
}  # fmt: skip


def tasks_for(baskets: int, *, cores: int) -> int:
    """How many tasks score so many baskets: one per core, unless they would have too few baskets or too many."""
    return max(1, min(cores, baskets // _FEWEST), -(-baskets // _MOST))


def require_memory(items: int, *, width: int, in_ease: int, limit: int) -> None:
    """Refuse a model that a task could not hold before anything is sent.

    Args:
        items: candidates.
        width: numbers of a query; 0: no attention takes part.
        in_ease: items of EASE; 0: it does not take part.
        limit: bytes.

    Raises:
        LimitError: a task would need more.
    """
    # Vectors and weights while batches are joined are there twice; an id and a name; scores at once.
    needed = 2 * (4 * in_ease**2 + 8 * width * items) + 250 * items + 10 * 4 * max(CELLS, items)
    if needed > limit:
        raise LimitError(
            f"A task of recommendations would hold {needed / MIB:,.0f} MiB: {items:,} items of {width} numbers, and EASE"
            f" of {in_ease:,} items.\n"
            f"  serve.memory_mib allows {limit // MIB:,}\n"
            "  Next: raise it where executors have the memory, lower ease.max_items, or --set serve.recommendations=0"
        )


def rows_of_tasks(items: DataFrame, weights: DataFrame | None, asked: DataFrame, *, tasks: int) -> DataFrame:
    """What each task reads: items by id, weights by id, then its baskets by id, in one partition a task.

    Which task a basket goes to depends on its id alone, so that cuts of the input change nothing.

    Args:
        items: item_id, name; where attention takes part, query, key and bias.
        weights: KEY_ID and WEIGHTS; None: EASE does not take part.
        asked: of `asked.with_history`.
        tasks: of the job.
    """
    every_task = F.explode(F.sequence(F.lit(0), F.lit(tasks - 1)))
    rows = [_rows(items.withColumnRenamed(c.ITEM_ID, KEY_ID).withColumn(_TASK, every_task), ITEM)]
    if weights is not None:
        rows.append(_rows(weights.withColumn(_TASK, every_task), WEIGHT))
    one_task = F.pmod(F.xxhash64(c.BASKET_ID), F.lit(tasks)).cast("int")
    rows.append(_rows(asked.withColumn(_TASK, one_task).withColumnRenamed(c.BASKET_ID, KEY_ID), BASKET))
    whole = rows[0]
    for more in rows[1:]:
        whole = whole.unionByName(more)
    lane = F.element_at(F.array(*map(F.lit, lanes(tasks))), F.col(_TASK) + 1)
    return (
        whole.withColumn(_LANE, lane)
        .repartition(tasks, _LANE)
        .sortWithinPartitions(_TASK, ROW_KIND, KEY_ID)
        .drop(_LANE, _TASK)
    )


def recommended(rows: DataFrame, options: Options) -> DataFrame:
    """`recommendations` from `rows_of_tasks`."""

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from basketlens.serve.scoring import pages  # scipy lives on executors only

        yield from pages(batches, options)

    return rows.mapInArrow(score, schemas.RECOMMENDATIONS)


def _rows(df: DataFrame, kind: int) -> DataFrame:
    """The columns that all kinds share; null where this kind lacks one."""
    columns = [
        (F.col(name) if name in df.columns else F.lit(None)).cast(type_).alias(name)
        for name, type_ in _TYPES.items()
    ]
    return df.select(_TASK, F.lit(kind).alias(ROW_KIND), *columns)
