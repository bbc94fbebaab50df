"""Raw inputs: a retailer's receipts and catalogue, read as they are, with every bad record kept."""

import codecs
import json
from collections.abc import Mapping
from typing import Final

from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens.errors import InputError
from basketlens.faults import SPARK_ERRORS, spark_says
from basketlens.locations import resolve
from basketlens.settings import InputSettings

CORRUPT: Final = "_corrupt_record"  # the text of a record that could not be parsed; null for good ones
_JSON_LINES_LOOKED_AT: Final = 50


def read_source(
    spark: SparkSession,
    given: InputSettings,
    location: str,
    kind: str,
    wanted: Mapping[str, str],
    *,
    setting: str,
) -> DataFrame:
    """The wanted source columns, `source` (file or table) and the text of unparsable records.

    Only mapped columns are read: personal data in other columns never enters the job.  CSV and JSON come as
    strings; Parquet and tables keep their types.

    Args:
        spark: the session.
        given: `[input]`.
        location: path, glob, `package:` file or table.
        kind: csv, json, parquet or table.
        wanted: setting -> source column, for the message when one is missing.
        setting: the setting that named the location, for messages.

    Raises:
        InputError: nothing there, unreadable, empty, or a mapped column is missing.
    """
    path = resolve(location)
    try:
        raw = _open(spark, given, path, kind, sorted(set(wanted.values())))
        found = raw.columns
    except SPARK_ERRORS as error:
        raise InputError(
            f"{setting} = '{location}' cannot be read as {kind}.\n  Spark says: {spark_says(error)}"
        ) from None
    if not [name for name in found if name != CORRUPT]:
        raise InputError(
            f"{setting} = '{location}' is empty: no {'header' if kind == 'csv' else 'columns'} in it."
        )
    missing = [f"'{source}' ({key})" for key, source in wanted.items() if source not in found]
    if missing:
        raise InputError(
            f"{setting} = '{location}' lacks {'a column' if len(missing) == 1 else 'columns'} that the settings map:\n"
            f"  Missing: {', '.join(missing)}\n"
            f"  It has:  {', '.join(sorted(name for name in found if name != CORRUPT))}\n"
            '  Next: map the right column, or "" where the source has none'
        )
    source = F.lit(location) if kind == "table" else F.col("_metadata.file_path")
    corrupt = F.col(CORRUPT) if CORRUPT in found else F.lit(None).cast("string")
    columns = [F.col(f"`{name}`") for name in sorted(set(wanted.values()))]
    return raw.select(*columns, corrupt.alias(CORRUPT), source.alias(c.SOURCE))


def file_set_version(spark: SparkSession, location: str) -> str:
    """A digest of the names, sizes and times of all files below a path: changes when any of them does.

    One small job over the file listing; no file is opened.

    Raises:
        InputError: nothing there.
    """
    path = resolve(location)
    try:
        listing = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)
        row = listing.agg(
            F.count("*").alias("files"),
            F.sum("length").alias("bytes"),
            F.bit_xor(F.xxhash64("path", "length", "modificationTime")).alias("mark"),
        ).first()
    except SPARK_ERRORS as error:
        raise InputError(f"'{location}' cannot be listed.\n  Spark says: {spark_says(error)}") from None
    assert row is not None  # an aggregate without groups has exactly one row
    return f"{row['files']} files, {row['bytes'] or 0} bytes, {(row['mark'] or 0) & (2**64 - 1):016x}"


def _open(spark: SparkSession, given: InputSettings, path: str, kind: str, wanted: list[str]) -> DataFrame:
    if kind == "table":
        return spark.read.table(path)
    if kind == "parquet":
        return spark.read.parquet(path)
    reader = spark.read.option("encoding", codecs.lookup(given.encoding).name).option("mode", "PERMISSIVE")
    reader = reader.option("columnNameOfCorruptRecord", CORRUPT)
    if kind == "json":
        names = _json_names(spark, given, path, wanted)
        return (
            reader.schema(_strings(names)).json(path) if names else spark.createDataFrame([], T.StructType())
        )
    reader = reader.option("sep", given.delimiter).option("header", True).option("escape", '"')
    # Spaces around a value are kept here and trimmed with every other string in clean.
    names = _csv_names(reader, path)
    return reader.schema(_strings(names)).option("enforceSchema", False).csv(path)


def _strings(names: list[str]) -> T.StructType:
    return T.StructType([T.StructField(name, T.StringType()) for name in [*names, CORRUPT]])


def _csv_names(reader: DataFrameReader, path: str) -> list[str]:
    return [name.lstrip("\ufeff") for name in reader.csv(path).columns if name != CORRUPT]


def _json_names(spark: SparkSession, given: InputSettings, path: str, wanted: list[str]) -> list[str]:
    """Keys of the first lines; a wanted key is believed in only when at least one of them has it."""
    names: set[str] = set()
    for row in spark.read.text(path).limit(_JSON_LINES_LOOKED_AT).collect():  # bounded: 50 lines
        try:
            record = json.loads(row[0].lstrip("\ufeff"))
        except ValueError:
            continue
        names.update(record if isinstance(record, dict) else ())
    return sorted(names & set(wanted)) or sorted(names)
