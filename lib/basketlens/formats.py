"""Files and tables opened as they are: every column under its own name, text as text, bad records kept beside."""

import codecs
import json
import re
from typing import Final, NamedTuple

from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens.faults import SPARK_ERRORS
from basketlens.settings import InputSettings
from basketlens.source_columns import source_column

CORRUPT: Final = "_corrupt_record"  # the text of a record that could not be parsed; null for good ones
FILE: Final = "_file"  # where a row came from; null for tables
_JSON_LINES_LOOKED_AT: Final = 1000
_MOST_FIELDS: Final = 100_000  # of one CSV record; a longer one stops Spark's parser, and with it the job
_NUL: Final = "\x00"
# The folders name=value at the end of a path, and a file behind them; the path before them must be no glob.
_PARTITIONS: Final = re.compile(r"^(?P<base>[^*?\[{]*?)/(?:[^/=]+=[^/]*/)*[^/=]+=[^/]*(?:/[^/=]+)?/?$")


class Opened(NamedTuple):
    """A source before anything is selected from it."""

    rows: DataFrame
    folders: tuple[str, ...]  # columns whose values are folder names; they cost nothing to filter by

    @property
    def names(self) -> list[str]:
        """The source's own columns."""
        return [name for name in self.rows.columns if name not in (CORRUPT, FILE)]


def open_source(
    spark: SparkSession, given: InputSettings, path: str, kind: str, wanted: set[str], *, every_key: bool
) -> Opened:
    """All columns of a source; those of CSV and JSON are strings without NUL bytes.

    Args:
        spark: the session.
        given: `[input]`.
        path: path, glob or table.
        kind: csv, json, parquet or table.
        wanted: columns that must be there.
        every_key: JSON only: take all keys that were seen, since an expression may use any.
    """
    if kind == "table":
        return Opened(spark.read.table(path).withColumn(FILE, F.lit(None).cast("string")), ())
    files = _Files(spark, given, path)
    if kind == "parquet":
        raw = _parquet(files)
    else:
        raw = _csv(files) if kind == "csv" else _json(files, wanted, every_key=every_key)
    if not raw.columns:
        return Opened(raw, ())
    columns = [
        source_column(name)
        if kind == "parquet" or name in (*files.folders, CORRUPT)
        else F.replace(source_column(name), F.lit(_NUL), F.lit("")).alias(name)
        for name in raw.columns
    ]
    return Opened(raw.select(*columns, F.col("_metadata.file_path").alias(FILE)), files.folders)


class _Files:
    """One set of files: where their folders begin, and readers that agree on it."""

    def __init__(self, spark: SparkSession, given: InputSettings, path: str) -> None:
        self.spark, self.given, self.path = spark, given, path
        base = _PARTITIONS.match(path)
        self._base = base["base"] if base else ""
        listed = self._with_base(spark.read).schema(_strings([])).text(path)
        self.folders = tuple(name for name in listed.columns if name != CORRUPT)

    def reader(self) -> DataFrameReader:
        """For data: folder names are columns where there are such folders, else every file below is read."""
        reader = self._with_base(self.spark.read)
        return reader if self.folders else reader.option("recursiveFileLookup", True)

    def header_reader(self) -> DataFrameReader:
        """For names inside the files alone.  A torn file is stepped over where it may be: others have names too."""
        reader = self.spark.read.option("recursiveFileLookup", True)
        return reader.option("ignoreCorruptFiles", self.given.ignore_corrupt_files)

    def _with_base(self, reader: DataFrameReader) -> DataFrameReader:
        return reader.option("basePath", self._base) if self._base else reader


def _parquet(files: _Files) -> DataFrame:
    if not files.given.ignore_corrupt_files:
        return files.reader().parquet(files.path)
    try:
        schema = files.reader().option("ignoreCorruptFiles", True).parquet(files.path).schema
    except SPARK_ERRORS as error:
        if "UNABLE_TO_INFER_SCHEMA" not in str(error):
            raise
        # Spark looked at one file alone, and that one is torn: look at all.
        lenient = files.reader().option("ignoreCorruptFiles", True).option("mergeSchema", True)
        schema = lenient.parquet(files.path).schema
    inside = [field for field in schema if field.name not in files.folders]
    return files.reader().schema(T.StructType(inside)).parquet(files.path)


def _csv(files: _Files) -> DataFrame:
    def options(reader: DataFrameReader) -> DataFrameReader:
        quoting = reader.option("sep", files.given.delimiter).option("escape", '"').option("header", True)
        return (
            _text(quoting, files)
            .option("multiLine", files.given.multiline)
            .option("maxColumns", _MOST_FIELDS)
        )

    names = [name for name in options(files.header_reader()).csv(files.path).columns if name != CORRUPT]
    # A column that is also a folder would be taken out of the records, and they would all be one field too long.
    if {name.lower() for name in names} & {name.lower() for name in files.folders}:
        files.folders = ()
    rows = options(files.reader()).schema(_strings(names)).option("enforceSchema", False).csv(files.path)
    if not files.given.multiline:
        return rows
    # Line by line Spark skips blank lines; across lines it takes one of spaces for a short record.
    return rows.filter(~F.coalesce(F.col(CORRUPT).rlike(r"^[\s\x00]*$"), F.lit(False)))


def _json(files: _Files, wanted: set[str], *, every_key: bool) -> DataFrame:
    # A raw NUL inside a string is no JSON; it is read here and removed later, as in CSV.
    reader = _text(files.reader(), files).option("allowUnquotedControlChars", True)
    if codecs.lookup(files.given.encoding).name != "utf-8":
        reader = reader.option("lineSep", "\n")  # Spark asks for it; a \r before it is white space
    names = _json_keys(files, wanted, every_key=every_key)
    if not names:
        return files.spark.createDataFrame([], T.StructType())
    return reader.schema(_strings(names)).json(files.path)


def _json_keys(files: _Files, wanted: set[str], *, every_key: bool) -> list[str]:
    """Keys of the first lines; a wanted key is believed in only when at least one of them has it."""
    seen: dict[str, None] = {}
    lines = files.header_reader().text(files.path).select(F.col("value").cast("binary"))
    for row in lines.limit(_JSON_LINES_LOOKED_AT).collect():  # bounded
        try:
            record = json.loads(bytes(row[0]).decode(files.given.encoding).lstrip("\ufeff"), strict=False)
        except ValueError:
            continue
        seen.update(dict.fromkeys(record if isinstance(record, dict) else ()))
    mapped = [name for name in seen if name in wanted]
    if mapped and not every_key and wanted <= {*mapped, *files.folders}:
        return sorted(mapped)
    # Spark refuses two columns that differ in case alone: the mapped one is meant, else the first seen.
    distinct = {name.lower(): name for name in reversed([*mapped, *seen])}
    return sorted(distinct.values())


def _text(reader: DataFrameReader, files: _Files) -> DataFrameReader:
    charset = codecs.lookup(files.given.encoding).name
    return (
        reader.option("encoding", "utf-8" if charset == "utf-8-sig" else charset)
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", CORRUPT)
    )


def _strings(names: list[str]) -> T.StructType:
    return T.StructType([T.StructField(name, T.StringType()) for name in [*names, CORRUPT]])
