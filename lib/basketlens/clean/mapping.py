"""Source columns become our names and types; nothing is rejected here.

A value that is there but cannot be read becomes null, and `reasons.py` tells it from one that was never there.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens.settings import (
    CATALOGUE_COLUMNS,
    RETURN_COLUMNS,
    TRANSACTION_COLUMNS,
    CleanSettings,
    InputSettings,
)


def wanted_lines(clean: CleanSettings, *, with_names: bool) -> dict[str, str]:
    """Setting -> source column of the transactions; with the template's columns when names come from there."""
    return _wanted(
        "clean.columns", clean.columns, TRANSACTION_COLUMNS, clean.template_columns if with_names else ()
    )


def wanted_returns(clean: CleanSettings) -> dict[str, str]:
    """Setting -> source column of the feed of returns."""
    return _wanted("clean.return_columns", clean.return_columns, RETURN_COLUMNS, ())


def wanted_products(clean: CleanSettings) -> dict[str, str]:
    """Setting -> source column of the catalogue."""
    return _wanted("clean.product_columns", clean.product_columns, CATALOGUE_COLUMNS, clean.template_columns)


def _wanted(
    section: str, mapped: Mapping[str, str], ours: tuple[str, ...], template: tuple[str, ...]
) -> dict[str, str]:
    wanted = {f"{section}.{name}": mapped[name] for name in ours if mapped.get(name)}
    for name in template:
        wanted[f"{section}.{name}" if mapped.get(name) else f"clean.name_template {{{name}}}"] = (
            mapped.get(name) or name
        )
    return wanted


def text(rows: DataFrame, mapped: Mapping[str, str], name: str) -> Column:
    """A mapped column as trimmed text, null when blank or not mapped."""
    source = mapped.get(name)
    if not source:
        return F.lit(None).cast("string")
    if not isinstance(rows.schema[source].dataType, T.StringType):
        return F.col(f"`{source}`").cast("string")
    return blank_to_null(F.col(f"`{source}`"))


def blank_to_null(value: Column) -> Column:
    """Trimmed; null when nothing is left."""
    trimmed = F.trim(value)
    return F.when(trimmed != "", trimmed)


def sold_at(rows: DataFrame, source: str, given: InputSettings) -> Column:
    """The time of sale as an instant; null when it cannot be read.

    Text and zone-free timestamps are in `input.time_zone`, unless the text ends in an offset.  Numbers are
    seconds, milli-, micro- or nanoseconds since 1970 in UTC, told apart by their size.
    """
    column, kind = F.col(f"`{source}`"), rows.schema[source].dataType
    if isinstance(kind, T.TimestampType):
        return column
    if isinstance(kind, T.LongType):
        return _since_1970(column)
    if not isinstance(kind, T.StringType):  # date, timestamp_ntz; anything else is no time
        is_time = isinstance(kind, T.DateType | T.TimestampNTZType)
        return (
            F.to_utc_timestamp(column.cast("timestamp"), given.time_zone)
            if is_time
            else F.lit(None).cast("timestamp")
        )
    trimmed = F.trim(column)
    parsed = (
        F.try_to_timestamp(trimmed, F.lit(given.timestamp_format))
        if given.timestamp_format
        else F.expr(f"try_cast(trim(`{source}`) AS TIMESTAMP)")
    )
    has_offset = trimmed.rlike(r"(Z|UTC|GMT|[+-]\d{2}:?\d{2})$")
    return F.when(has_offset, parsed).otherwise(F.to_utc_timestamp(parsed, given.time_zone))


def _since_1970(value: Column) -> Column:
    """1e11 seconds are the year 5138, and 1e11 milliseconds are 1973; so on for the smaller units."""
    size = F.abs(value)
    micros = (
        F.when(size >= 10**17, F.floor(value / 1000))
        .when(size >= 10**14, value)
        .when(size >= 10**11, value * 1000)
        .otherwise(value * 1_000_000)
    )
    return F.timestamp_micros(micros)


def number(rows: DataFrame, source: str, kind: str) -> Column:
    """A source column as `kind`, null when it is no such number."""
    if isinstance(rows.schema[source].dataType, T.NumericType):
        return F.expr(f"try_cast(`{source}` AS {kind})")
    return F.expr(f"try_cast(trim(cast(`{source}` AS STRING)) AS {kind})")
