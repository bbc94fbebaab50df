"""`embed`: one vector per product name; names embedded by the same model before keep theirs."""

import time
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas
from basketlens.bare_names import with_bare_names_too
from basketlens.embed.model_files import model_digest
from basketlens.embed.names import (
    DEVICE,
    DTYPE,
    IS_NEW,
    PRODUCTS,
    embed_names,
    names_of,
    with_is_new,
    work_measures,
)
from basketlens.embed.resident import options_of
from basketlens.errors import InputError
from basketlens.settings import Settings
from basketlens.stage_io import StageIO


def extra(settings: Settings) -> dict[str, str]:
    """What the vectors depend on beside the tables and settings.

    Raises:
        InputError: the model's folder cannot be used.
    """
    embed = settings.embed
    return {"model": model_digest(embed.model, options_of(embed), download=embed.download)}


def run(io: StageIO, settings: Settings) -> None:
    """`products` -> `embeddings`.  Without new names no model is loaded.

    Raises:
        InputError: no name at all could be embedded.
    """
    digest = extra(settings)["model"]
    embedded = _embedded(io, digest)
    products = io.read("products")
    names = names_of(with_bare_names_too(products) if settings.embed.bare_names else products)
    names = (
        names.withColumn(IS_NEW, F.col(c.NAME_HASH).isNotNull())
        if embedded is None
        else with_is_new(names, embedded)
    )
    of_names = {
        "names": F.count(c.NAME_HASH),
        "embedded": F.coalesce(F.sum(F.col(IS_NEW).cast("long")), F.lit(0)),
        "rows_in": F.coalesce(F.sum(PRODUCTS), F.lit(0)),
    }
    figures = dict(io.write("names", names, doing="finding new names", measures=of_names).measures)
    figures["reused"] = figures["names"] - figures["embedded"]
    work: Mapping[str, Any] = {"device": "none"}
    if embedded is not None and not figures["embedded"]:
        vectors = embedded
    else:
        work = _embed_new(io, settings, digest, names=figures["embedded"], reused=figures["reused"])
        new = io.read("new_embeddings").select(*schemas.EMBEDDINGS.names)
        vectors = new if embedded is None else embedded.unionByName(new)
    io.write("embeddings", vectors, doing="joining old and new vectors")
    io.note(**figures, model=digest, **work)


def _embed_new(io: StageIO, settings: Settings, digest: str, *, names: int, reused: int) -> dict[str, Any]:
    """Write `new_embeddings`; figures of the work.  Names that fail beside others that do not stop no run."""
    partitions = settings.embed.partitions or io.cores
    new_names = io.read("names").filter(IS_NEW)
    vectors = embed_names(new_names, settings.embed, digest=digest, partitions=partitions)
    began = time.monotonic()
    written = io.write(
        "new_embeddings", vectors, doing=f"embedding {names:,} names", measures=work_measures()
    )
    measured, wall = written.measures, time.monotonic() - began
    if not written.rows:
        return {"device": "none"}
    if measured["failed"] == written.rows and not reused:
        raise InputError(
            f"None of {written.rows:,} names could be embedded by embed.model = '{settings.embed.model}'.\n"
            f"  First: {measured['first_error']}"
        )
    return {**_figures(measured, wall), DEVICE: measured[DEVICE], DTYPE: measured[DTYPE]}


def _figures(measured: Mapping[str, Any], wall: float) -> dict[str, Any]:
    """Rates, for the run: per second of the write where they say so, else per second of the tasks at work."""
    seconds = measured["seconds"]
    figures = {
        "names_per_second": round(
            measured["names"] / wall, 1
        ),  # of the write, with Spark's and Python's part
        "tokens_per_task_second": round(measured["tokens"] / seconds, 1),
        "model_loads": measured["loads"],
        "padding_share": round(1 - measured["tokens"] / max(measured["padded"], 1), 4),
        "gflops_per_task": round(measured["flops"] / seconds / 1e9, 1),
        "share_of_gemm_peak": round(measured["flops"] / seconds / measured["peak"], 3),
        "parity": round(measured["parity"], 6),
    }
    if measured["failed"]:
        figures |= {"failed": measured["failed"], "first_failed": measured["first_error"]}
    return figures


def _embedded(io: StageIO, digest: str) -> DataFrame | None:
    """Vectors of this model from earlier runs; None when there are none.  Names that failed are tried again."""
    earlier = io.earlier("embeddings", "", setting="embed")
    if earlier is None:
        return None
    is_ours = (F.col(c.MODEL_DIGEST) == digest) & F.col(c.EMBEDDING).isNotNull()
    return earlier.filter(is_ours).withColumn(c.ERROR, F.lit(None).cast("string"))
