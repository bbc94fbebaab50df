"""`embed`: one vector per product name; names embedded by the same model before keep theirs."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas
from basketlens.embed.model_files import model_digest
from basketlens.embed.names import DEVICE, IS_NEW, PRODUCTS, embed_names, names_of, with_is_new
from basketlens.settings import Settings
from basketlens.stage_io import StageIO


def extra(settings: Settings) -> dict[str, str]:
    """What the vectors depend on beside the tables and settings.

    Raises:
        InputError: the model's folder cannot be used.
    """
    return {"model": model_digest(settings.embed.model, max_tokens=settings.embed.max_tokens)}


def run(io: StageIO, settings: Settings) -> None:
    """`products` -> `embeddings`.  Without new names no model is loaded."""
    digest = extra(settings)["model"]
    embedded = _embedded(io, digest)
    names = names_of(io.read("products"))
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
    figures = io.write("names", names, doing="finding new names", measures=of_names).measures
    device = "none"
    if embedded is not None and not figures["embedded"]:
        vectors = embedded
    else:
        device = _embed_new(io, settings, digest, doing=f"embedding {figures['embedded']:,} names")
        new = io.read("new_embeddings").select(*schemas.EMBEDDINGS.names)
        vectors = new if embedded is None else embedded.unionByName(new)
    io.write("embeddings", vectors, doing="joining old and new vectors")
    io.note(**figures, reused=figures["names"] - figures["embedded"], model=digest, device=device)


def _embed_new(io: StageIO, settings: Settings, digest: str, *, doing: str) -> str:
    """Write `new_embeddings`; returns the device that was used."""
    partitions = settings.embed.partitions or io.cores
    new_names = io.read("names").filter(IS_NEW)
    vectors = embed_names(new_names, settings.embed, digest=digest, partitions=partitions)
    written = io.write("new_embeddings", vectors, doing=doing, measures={DEVICE: F.max(DEVICE)})
    return written.measures[DEVICE] or "none"


def _embedded(io: StageIO, digest: str) -> DataFrame | None:
    """Vectors of this model from earlier runs; None when there are no earlier runs."""
    return io.read("embeddings").filter(F.col(c.MODEL_DIGEST) == digest) if io.has("embeddings") else None
