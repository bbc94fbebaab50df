"""Raw inputs: a retailer's receipts, returns and catalogue, read as they are, with every bad record kept."""

from collections.abc import Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens.errors import InputError, SettingsError
from basketlens.faults import SPARK_ERRORS, spark_says
from basketlens.formats import CORRUPT, FILE, Opened, open_source
from basketlens.locations import resolve
from basketlens.settings import InputSettings
from basketlens.source_columns import expression, is_expression, source_column
from basketlens.torn_files import without_torn_files


class Source(NamedTuple):
    """What was read, and what could not be."""

    rows: DataFrame
    skipped: tuple[str, ...]  # files that were left out because they are torn


def read_source(
    spark: SparkSession,
    given: InputSettings,
    location: str,
    kind: str,
    wanted: Mapping[str, str],
    *,
    setting: str,
    where: str = "",
) -> Source:
    """The wanted source columns, `source` (file or table) and the text of unparsable records.

    Only mapped columns are read: personal data in other columns never enters the job.  CSV and JSON come as
    strings; Parquet and tables keep their types.  An expression becomes a column that bears its text as name.

    Args:
        spark: the session.
        given: `[input]`.
        location: path, glob, `package:` file or table.
        kind: csv, json, parquet or table.
        wanted: setting -> source column or "=" expression, for the message when one is missing.
        setting: the setting that named the location, for messages.
        where: SQL condition; rows that fail it are not read.  Records that could not be parsed are, unless the
            condition is on folder names alone, for of them it is not known.

    Raises:
        InputError: nothing there, unreadable, empty, a mapped column is missing, or an expression or the
            condition does not fit the columns.
        SettingsError: a mapped column has a name that the job needs.
    """
    _refuse_our_names(wanted)
    opened = _opened(spark, given, location, kind, wanted, setting=setting, every_key=bool(where))
    inside = _within(opened, where, f"{setting} = '{location}'")
    for key, mapped in wanted.items():
        if is_expression(mapped):
            _check_expression(inside, key, expression(mapped))
    columns = [
        F.expr(expression(name)).alias(name) if is_expression(name) else source_column(name)
        for name in sorted(set(wanted.values()))
    ]
    origin = F.lit(location) if kind == "table" else F.col(FILE)
    corrupt = F.col(CORRUPT) if CORRUPT in inside.columns else F.lit(None).cast("string")
    rows = inside.select(*columns, corrupt.alias(CORRUPT), origin.alias(c.SOURCE), FILE)
    skipped: tuple[str, ...] = ()
    if given.ignore_corrupt_files and kind != "table":
        rows, skipped = without_torn_files(rows, setting=setting)
    return Source(rows.drop(FILE), skipped)


def windowed(where: str, *, since: str = "", until: str = "") -> str:
    """`input.where` with the run's window filled in.

    Args:
        where: the condition, with or without `{since}` and `{until}`.
        since: first day of the window, `YYYY-MM-DD`; "" = none.
        until: the first day after it, the same.

    Raises:
        SettingsError: the condition asks for an end of the window that the run does not have.
    """
    for name, day in (("since", since), ("until", until)):
        if f"{{{name}}}" in where and not day:
            raise SettingsError(
                f"input.where uses {{{name}}}, but this run has no --{name}.\n  Found: {where}\n"
                "  Next: give --since YYYY-MM-DD and --until YYYY-MM-DD, or take them out of input.where"
            )
        where = where.replace(f"{{{name}}}", day)
    return where


def file_set_version(spark: SparkSession, location: str, *, setting: str) -> str:
    """A digest of the names, sizes and times of all files below a path: changes when any of them does.

    One small job over the file listing; no file is opened.  `setting` named the location, for the message.

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
        raise InputError(
            f"{setting} = '{location}' cannot be listed.\n  Spark says: {spark_says(error)}"
        ) from None
    assert row is not None  # an aggregate without groups has exactly one row
    return f"{row['files']} files, {row['bytes'] or 0} bytes, {(row['mark'] or 0) & (2**64 - 1):016x}"


def _opened(
    spark: SparkSession,
    given: InputSettings,
    location: str,
    kind: str,
    wanted: Mapping[str, str],
    *,
    setting: str,
    every_key: bool,
) -> Opened:
    """The source with all its columns, among them every mapped one."""
    names = {source for source in wanted.values() if not is_expression(source)}
    every_key = every_key or len(names) < len(set(wanted.values()))
    try:
        opened = open_source(spark, given, resolve(location), kind, names, every_key=every_key)
    except SPARK_ERRORS as error:
        raise InputError(
            f"{setting} = '{location}' cannot be read as {kind}.\n  Spark says: {spark_says(error)}"
        ) from None
    found = opened.names
    if not set(found) - set(opened.folders):
        raise InputError(
            f"{setting} = '{location}' is empty: no {'header' if kind == 'csv' else 'columns'} in it."
        )
    missing = [f"'{source}' ({key})" for key, source in wanted.items() if source in names.difference(found)]
    if missing:
        raise InputError(
            f"{setting} = '{location}' lacks {'a column' if len(missing) == 1 else 'columns'} that the settings map:\n"
            f"  Missing: {', '.join(missing)}\n  It has:  {', '.join(sorted(found))}\n"
            '  Next: map the right column, or "" where the source has none'
        )
    return opened


def _refuse_our_names(wanted: Mapping[str, str]) -> None:
    """Two columns of one name could not be told apart."""
    for key, source in wanted.items():
        if source.lower() in (c.SOURCE, CORRUPT, FILE):
            raise SettingsError(
                f'{key} = "{source}" is a name that the job itself uses.\n  Next: write it as an expression, "={source}"'
            )


def _within(opened: Opened, where: str, place: str) -> DataFrame:
    """The rows that the condition holds for, and unparsable records of which that is not known."""
    if not where:
        return opened.rows
    try:
        inside = opened.rows.filter(where)
    except SPARK_ERRORS as error:
        raise InputError(
            f"input.where does not fit {place}.\n  Found:      {where}\n"
            f"  Spark says: {spark_says(error)}\n  It has:     {', '.join(sorted(opened.names))}"
        ) from None
    if CORRUPT not in opened.rows.columns or _is_about_folders(opened, where):
        return inside
    return opened.rows.filter(F.expr(where) | F.col(CORRUPT).isNotNull())


def _is_about_folders(opened: Opened, where: str) -> bool:
    # A table of its own: below a selection Spark would find the columns that were not selected.
    folders = T.StructType([field for field in opened.rows.schema if field.name in opened.folders])
    try:
        opened.rows.sparkSession.createDataFrame([], folders).filter(where)
    except SPARK_ERRORS:
        return False
    return True


def _check_expression(rows: DataFrame, key: str, sql: str) -> None:
    """One value per row: aggregates, windows and generators are refused, as in any condition."""
    try:
        rows.filter(F.expr(sql).isNotNull())
    except SPARK_ERRORS as error:
        raise InputError(
            f'{key} = "={sql}" is no expression over the columns of its source.\n  Spark says: {spark_says(error)}'
        ) from None
