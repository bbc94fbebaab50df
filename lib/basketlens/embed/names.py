"""Distinct names, which of them are new, and their vectors."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens import schemas
from basketlens.devices import task_device
from basketlens.embed.resident import encoder_for
from basketlens.settings import EmbedSettings

IS_NEW: Final = "is_new"  # boolean, not embedded by this model yet
PRODUCTS: Final = "products"  # long, rows of the catalogue that bear the name
DEVICE: Final = "device"  # string, where the vector was computed: cpu or cuda:<n>

ROOM: Final = 16384  # names sorted by length together: full batches of every length, 25 MiB of vectors
PAGE: Final = 2048  # rows of an Arrow batch given back: 3 MiB of vectors

_VECTORS: Final = T.StructType([*schemas.EMBEDDINGS.fields, T.StructField(DEVICE, T.StringType())])


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
    """One unit vector per name, and the device it was computed on.

    Args:
        names: name_hash (unique), product_name; none null.
        settings: model, device and batch size.
        digest: of the model that the driver sees; every executor must see the same.
        partitions: tasks.  Hashes spread names of every length evenly over them.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        device = task_device(settings.device, setting="embed.device")
        for room in rooms(batches, ROOM):
            encoder = encoder_for(settings.model, digest, settings.max_tokens, device)
            vectors = encoder.encode(room[c.PRODUCT_NAME].to_pylist(), batch_tokens=settings.batch_tokens)
            table = room.append_column(c.EMBEDDING, as_lists(vectors))
            for name, value in ((c.MODEL_DIGEST, digest), (DEVICE, device)):
                table = table.append_column(name, pa.repeat(value, len(table)))
            yield from table.select(_VECTORS.names).combine_chunks().to_batches(max_chunksize=PAGE)

    spread = names.select(c.NAME_HASH, c.PRODUCT_NAME).repartition(partitions, c.NAME_HASH)
    return spread.mapInArrow(run, _VECTORS)


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


def as_lists(vectors: npt.NDArray[np.float32]) -> pa.ListArray:
    """Vectors (n, d) as a column of lists, without a copy per row."""
    n, d = vectors.shape
    starts = pa.array(np.arange(n + 1, dtype=np.int32) * d)
    return pa.ListArray.from_arrays(starts, pa.array(vectors.ravel()))
