"""Distinct names, which of them are new, and their vectors."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_type

from basketlens import columns as c
from basketlens import schemas
from basketlens.devices import map_on_device, task_device
from basketlens.embed.resident import encoder_for, loads, options_of
from basketlens.settings import EmbedSettings

if TYPE_CHECKING:
    from basketlens.embed.encoder import Encoder

IS_NEW: Final = "is_new"  # boolean, not embedded by this model yet
PRODUCTS: Final = "products"  # long, rows of the catalogue that bear the name
DEVICE: Final = "device"  # string, where the vector was computed: cpu or cuda:<n>
DTYPE: Final = "dtype"  # string, numbers that it was computed in: fp32 or bf16
WORK: Final = "work"  # struct, see _WORK; null but on the first row of each room

ROOM: Final = 16384  # names sorted by length together: full batches of every length, 25 MiB of vectors
PAGE: Final = 2048  # rows of an Arrow batch given back: 3 MiB of vectors

# The work on the names of a room, on the first of its rows.
_WORK: Final = T.StructType(
    [
        T.StructField("loads", T.LongType()),  # models that the worker loaded for it
        T.StructField("tokens", T.LongType()),
        T.StructField("padded", T.LongType()),  # tokens and padding
        T.StructField("flops", T.DoubleType()),  # of the model's matrix products
        T.StructField("seconds", T.DoubleType()),  # at work, reading and writing rows apart
        T.StructField("peak", T.DoubleType()),  # flop/s of a matrix product on the same device
        T.StructField("parity", T.DoubleType()),  # least cosine between vectors in the dtype used and in fp32
    ]
)
_VECTORS: Final = T.StructType(
    [
        *schemas.EMBEDDINGS.fields,
        T.StructField(DEVICE, T.StringType()),
        T.StructField(DTYPE, T.StringType()),
        T.StructField(WORK, _WORK),
    ]
)


def names_of(products: DataFrame) -> DataFrame:
    """One row per name hash; the products without a name share the row whose hash is null."""
    is_named = F.col(c.PRODUCT_NAME).isNotNull()
    by_name = products.groupBy(F.when(is_named, F.col(c.NAME_HASH)).alias(c.NAME_HASH))
    return by_name.agg(F.min(c.PRODUCT_NAME).alias(c.PRODUCT_NAME), F.count("*").alias(PRODUCTS))


def with_is_new(names: DataFrame, embedded: DataFrame) -> DataFrame:
    """Say which names have no vector in `embedded` yet."""
    known = embedded.select(c.NAME_HASH, F.lit(False).alias(IS_NEW))
    is_named = F.col(c.NAME_HASH).isNotNull()
    return names.join(known, c.NAME_HASH, "left").withColumn(IS_NEW, is_named & F.col(IS_NEW).isNull())


def embed_names(names: DataFrame, settings: EmbedSettings, *, digest: str, partitions: int) -> DataFrame:
    """One vector per name, or why there is none; and with what work.

    Args:
        names: name_hash (unique), product_name; none null.
        settings: model, device and batch size.
        digest: of the model that the driver sees; every executor must see the same.
        partitions: tasks.  Hashes spread names of every length evenly over them.
    """
    options = options_of(settings)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from basketlens.embed.core import embedded  # torch lives on executors only

        device = task_device(settings.device, setting="embed.device")
        loaded = loads()

        def load() -> "Encoder":
            return encoder_for(
                settings.model, digest, options, device, settings.local_copy, download=settings.download
            )

        tables = ((table, table[c.PRODUCT_NAME].to_pylist()) for table in rooms(batches, ROOM))
        for table, room in embedded(tables, load, batch_tokens=settings.batch_tokens, clock=time.monotonic):
            arithmetic = load().arithmetic
            work = {
                "loads": loads() - loaded, "tokens": room.tokens, "padded": room.padded, "flops": room.flops,
                "seconds": room.seconds, "peak": arithmetic.peak, "parity": arithmetic.parity,
            }  # fmt: skip
            loaded = loads()
            columns = {
                c.EMBEDDING: as_lists(room.vectors, [error is None for error in room.errors]),
                c.MODEL_DIGEST: pa.repeat(digest, len(table)),
                c.ERROR: pa.array(room.errors, pa.string()),
                DEVICE: pa.repeat(device, len(table)),
                DTYPE: pa.repeat(arithmetic.dtype, len(table)),
                WORK: pa.array([work, *[None] * (len(table) - 1)], to_arrow_type(_WORK)),
            }
            for name, column in columns.items():
                table = table.append_column(name, column)  # noqa: PLW2901 - the same rows
            yield from table.select(_VECTORS.names).combine_chunks().to_batches(max_chunksize=PAGE)

    spread = names.select(c.NAME_HASH, c.PRODUCT_NAME).repartition(partitions, c.NAME_HASH)
    return map_on_device(spread, run, _VECTORS, wanted=settings.device)


def work_measures() -> dict[str, Column]:
    """Measures of a write of `embed_names`, for `figures_of`."""
    sums = {name: F.sum(f"{WORK}.{name}") for name in ("loads", "tokens", "padded", "flops", "seconds")}
    return {
        **sums,
        "names": F.count("*"),
        "failed": F.count(c.ERROR),
        "first_error": F.min(F.concat(c.PRODUCT_NAME, F.lit(": "), c.ERROR)),
        "peak": F.max(f"{WORK}.peak"),
        "parity": F.min(f"{WORK}.parity"),
        DEVICE: F.max(DEVICE),
        DTYPE: F.max(DTYPE),
    }  # fmt: skip


def rooms(batches: Iterator[pa.RecordBatch], room: int) -> Iterator[pa.Table]:
    """The same rows in tables of `room` rows, whatever Arrow's batches; the last may be shorter, none is empty."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + len(batch) >= room:
            yield pa.Table.from_batches([*held, batch.slice(0, room - rows)])
            held, batch, rows = [], batch.slice(room - rows), 0  # noqa: PLW2901 - what is left of it
        if len(batch):
            held.append(batch)
            rows += len(batch)
    if held:
        yield pa.Table.from_batches(held)


def as_lists(vectors: npt.NDArray[np.float32], is_known: Sequence[bool]) -> pa.ListArray:
    """Vectors (n, d) as a column of lists, without a copy per row; null where it is not known."""
    n, d = vectors.shape
    starts = pa.array(np.arange(n + 1, dtype=np.int32) * d)
    lists = pa.ListArray.from_arrays(starts, pa.array(vectors.ravel()))
    return lists if all(is_known) else pc.if_else(pa.array(is_known), lists, None)
