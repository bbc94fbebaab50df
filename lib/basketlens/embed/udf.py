"""`embed_udf`: product names to vectors in anybody's query."""

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import pandas_udf

from basketlens.devices import task_device
from basketlens.embed.model_files import model_digest
from basketlens.embed.names import ROOM, rooms
from basketlens.embed.resident import encoder_for, options_of
from basketlens.settings_files import load_settings

if TYPE_CHECKING:
    from basketlens.embed.encoder import Encoder

_NAME = "name"


def embed_udf(**options: Any) -> Callable[..., Any]:
    """An iterator pandas UDF: string -> array<float>, null for null and for a name that the model cannot take.

        spark.udf.register("embed", embed_udf())
        spark.sql("SELECT name, embed(name) FROM products")

    The model is loaded once in each Python worker and stays there.  Names are sorted by length and batched across
    Arrow's batches; a name that repeats is embedded once among 16,384 rows.  A UDF gets the GPU that the job's conf
    gives each task: Spark has no resource profile for it.

    Args:
        options: keys of `[embed]`, such as model="/models/bert", device="cuda"; what is not given is as in
            conf/base.toml and the environment.

    Raises:
        SettingsError: an option does not exist or has a wrong value.
        InputError: the model's folder cannot be used.
    """
    settings = load_settings(
        "base", [f"embed.{key}={_as_toml(value)}" for key, value in options.items()], os.environ
    ).embed
    how = options_of(settings)
    digest = model_digest(settings.model, how, download=settings.download)

    def embed(names: Iterator[pd.Series]) -> Iterator[pd.Series]:
        from basketlens.embed.core import embedded  # torch lives on executors only

        device = task_device(settings.device, setting="device")

        def load() -> "Encoder":
            return encoder_for(
                settings.model, digest, how, device, settings.local_copy, download=settings.download
            )

        batches = (pa.RecordBatch.from_arrays([pa.array(s, pa.string())], [_NAME]) for s in names)
        tables = ((None, table[_NAME].to_pylist()) for table in rooms(batches, ROOM))
        for _, room in embedded(tables, load, batch_tokens=settings.batch_tokens, clock=time.monotonic):
            yield pd.Series(
                [
                    vector if error is None else None
                    for vector, error in zip(room.vectors, room.errors, strict=True)
                ]
            )

    made: Callable[..., Any] = pandas_udf(embed, T.ArrayType(T.FloatType()))  # type: ignore[call-overload]  # needs pd.Series[Any]
    return made


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) and "'" not in value else str(value)
