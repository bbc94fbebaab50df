"""Source columns become our names and types; nothing is rejected here.

A value that is there but cannot be read becomes null, and `reasons.py` tells it from one that was never there.
"""

from collections.abc import Mapping
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens.settings import InputSettings
from basketlens.settings_checks import has_zone
from basketlens.settings_clean import CATALOGUE_COLUMNS, RETURN_COLUMNS, TRANSACTION_COLUMNS, CleanSettings
from basketlens.source_columns import quoted, source_column

_ISO_DATE: Final = r"^[+-]?\d{4,}-\d"
_ISO_ZONE: Final = r":\d{1,2}(\.\d+)?\s*[A-Za-z+-]"  # behind a time of day: Z, +02:00, Europe/Berlin
_LETTERS_OF_JAVA: Final = "[dDfFxXpP]"  # Java reads 12d, 1f and 0x1p3 as numbers
# The same sign between all groups: ' and ’, point, and the spaces that people and printers use.
_WITH_COMMA: Final = r"^[+-]?(\d+|\d{1,3}([.'’ \u00a0\u202f])\d{3}(\2\d{3})*)?(,\d+)?([eE][+-]?\d+)?$"
_BETWEEN_GROUPS: Final = r"[.'’ \u00a0\u202f]"


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
    """A mapped column as trimmed text, null when blank or not mapped.  A whole number in a float column has no ".0"."""
    source = mapped.get(name)
    if not source:
        return F.lit(None).cast("string")
    column, kind = source_column(source), rows.schema[source].dataType
    if isinstance(kind, T.StringType):
        return blank_to_null(column)
    if isinstance(kind, T.FloatType | T.DoubleType):
        # pandas makes floats of integers where some are missing; a long holds them exactly below 2^53.
        is_whole = (column == F.floor(column)) & (F.abs(column) < 2.0**53)
        return F.when(is_whole, column.cast("long").cast("string")).otherwise(column.cast("string"))
    return column.cast("string")


def blank_to_null(value: Column) -> Column:
    """Trimmed; null when nothing is left."""
    trimmed = F.trim(value)
    return F.when(trimmed != "", trimmed)


def sold_at(rows: DataFrame, source: str, given: InputSettings) -> Column:
    """The time of sale as an instant; null when it cannot be read.

    Text and zone-free timestamps are in `input.time_zone`, unless the text names its own zone.  Numbers are
    seconds, milli-, micro- or nanoseconds since 1970 in UTC, told apart by their size.
    """
    column, kind = source_column(source), rows.schema[source].dataType
    if isinstance(kind, T.TimestampType):
        return column
    if isinstance(kind, T.LongType):
        return _since_1970(column)
    if isinstance(kind, T.StringType):
        return F.coalesce(*(_parsed(source, pattern, given) for pattern in given.timestamp_formats or [""]))
    if isinstance(kind, T.DateType | T.TimestampNTZType):
        return F.to_utc_timestamp(column.cast("timestamp"), given.time_zone)
    return F.lit(None).cast("timestamp")  # anything else is no time


def _parsed(source: str, pattern: str, given: InputSettings) -> Column:
    """Text by one Spark datetime pattern, or by ISO 8601 where that is ""."""
    trimmed = F.trim(source_column(source))
    if pattern:
        parsed = F.try_to_timestamp(trimmed, F.lit(pattern))
        return parsed if has_zone(pattern) else F.to_utc_timestamp(parsed, given.time_zone)
    instant = F.expr(f"try_cast(trim({quoted(source)}) AS TIMESTAMP)")
    # Spark would take a time without a date for one of today.
    parsed = F.when(trimmed.rlike(_ISO_DATE), instant)
    return F.when(trimmed.rlike(_ISO_ZONE), parsed).otherwise(F.to_utc_timestamp(parsed, given.time_zone))


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


def number(rows: DataFrame, source: str, kind: str, given: InputSettings) -> Column:
    """A source column as `kind` (SQL), null when it is no such number.

    Numbers are cast as they are.  Text is read with the source's decimal sign; with a comma, points, spaces and
    apostrophes may stand between groups of three digits and nowhere else.
    """
    name = quoted(source)
    if isinstance(rows.schema[source].dataType, T.NumericType):
        return F.expr(f"try_cast({name} AS {kind})")
    text_of = f"trim(cast({name} AS STRING))"
    if given.decimal == ".":
        return F.when(~F.expr(text_of).rlike(_LETTERS_OF_JAVA), F.expr(f"try_cast({text_of} AS {kind})"))
    pointed = f"""translate(regexp_replace({text_of}, r"{_BETWEEN_GROUPS}", ''), ',', '.')"""
    return F.when(F.expr(text_of).rlike(_WITH_COMMA), F.expr(f"try_cast({pointed} AS {kind})"))
