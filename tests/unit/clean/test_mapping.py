"""Times, numbers and text as sources write them.  Each case is a column of one row, so a table of cases is one job."""

from datetime import datetime
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from basketlens.clean.mapping import number, sold_at, text
from tests.builders import settings

BERLIN = "input.time_zone=Europe/Berlin"
GERMAN = 'input.timestamp_formats=["dd.MM.yyyy HH:mm", "yyyyMMdd", ""]'
US_DATES = 'input.timestamp_formats=["dd-MM-yyyy"]'
ZONED = 'input.timestamp_formats=["yyyy-MM-dd HH:mm VV", "yyyy-MM-dd HH:mm"]'
# text of an SQL value, its type, settings, the instant in UTC
TIMES = {
    "iso": ("2025-01-31 10:00:00", "string", (), datetime(2025, 1, 31, 10)),
    "iso-t-and-fraction": ("2025-01-31T10:00:00.5", "string", (), datetime(2025, 1, 31, 10, 0, 0, 500000)),
    "date-only": ("2025-01-31", "string", (), datetime(2025, 1, 31)),
    "a-time-alone-is-not-today": ("10:00:00", "string", (), None),
    "first-pattern": (" 31.01.2025 10:00 ", "string", (GERMAN,), datetime(2025, 1, 31, 10)),
    "second-pattern": ("20250131", "string", (GERMAN,), datetime(2025, 1, 31)),
    "iso-among-patterns": ("2025-01-31", "string", (GERMAN,), datetime(2025, 1, 31)),
    "no-pattern-fits": ("31/01/2025", "string", (GERMAN,), None),
    "no-iso-when-patterns-are-given": ("2025-01-31", "string", (US_DATES,), None),
    "one-digit-where-two-are-asked": ("1.2.2025 10:00", "string", (GERMAN,), None),
    "zone-of-the-source": ("2025-01-31 10:00:00", "string", (BERLIN,), datetime(2025, 1, 31, 9)),
    "offset-wins": ("2025-01-31T10:00:00+02:00", "string", (BERLIN,), datetime(2025, 1, 31, 8)),
    "offset-without-colon": ("2025-01-31T10:00:00-0200", "string", (BERLIN,), datetime(2025, 1, 31, 12)),
    "utc-mark-wins": ("2025-01-31T10:00:00Z", "string", (BERLIN,), datetime(2025, 1, 31, 10)),
    "named-zone-wins": ("2025-01-31 10:00:00 Asia/Tokyo", "string", (BERLIN,), datetime(2025, 1, 31, 1)),
    "a-year-is-no-offset": ("31-01-2025", "string", (BERLIN, US_DATES), datetime(2025, 1, 30, 23)),
    "zone-by-pattern": ("2025-01-31 10:00 Asia/Tokyo", "string", (BERLIN, ZONED), datetime(2025, 1, 31, 1)),
    "pattern-without-zone": ("2025-01-31 10:00", "string", (BERLIN, ZONED), datetime(2025, 1, 31, 9)),
    "no-time": ("soon", "string", (), None),
    "ntz": ("2025-07-31 10:00:00", "timestamp_ntz", (BERLIN,), datetime(2025, 7, 31, 8)),
    "date": ("2025-01-31", "date", (), datetime(2025, 1, 31)),
    "seconds": ("1738317600", "bigint", (), datetime(2025, 1, 31, 10)),
    "milliseconds": ("1738317600000", "bigint", (), datetime(2025, 1, 31, 10)),
    "nanoseconds": ("1738317600000000000", "bigint", (), datetime(2025, 1, 31, 10)),
    "boolean-is-no-time": ("true", "boolean", (), None),
}
COMMA = 'input.decimal=","'
# text of an SQL value, its type, settings, as decimal(18,4); the same as double unless a pair
NUMBERS = {
    "point": ("2.50", "string", (), "2.5"),
    "spaces-around": (" 2.50 ", "string", (), "2.5"),
    "comma-where-a-point-is-meant": ("2,50", "string", (), None),
    "exponent": ("1e3", "string", (), "1000"),
    "java-suffixes-are-no-numbers": ("12d", "string", (), None),
    "java-hexadecimals-are-no-numbers": ("0x1p3", "string", (), None),
    "words": ("two", "string", (), None),
    "comma": ("2,50", "string", (COMMA,), "2.5"),
    "comma-thousands": ("1.234,50", "string", (COMMA,), "1234.5"),
    "comma-millions": ("-1.234.567,8", "string", (COMMA,), "-1234567.8"),
    "comma-thousands-alone": ("1.234", "string", (COMMA,), "1234"),
    "comma-no-thousands": ("1234,5", "string", (COMMA,), "1234.5"),
    "comma-negative": ("-3", "string", (COMMA,), "-3"),
    "comma-no-whole-part": (",5", "string", (COMMA,), "0.5"),
    "comma-spaces": ("1 234,50", "string", (COMMA,), "1234.5"),
    "comma-no-break-spaces": ("1\u00a0234\u00a0567,50", "string", (COMMA,), "1234567.5"),
    "comma-narrow-spaces": ("1\u202f234,50", "string", (COMMA,), "1234.5"),
    "comma-apostrophes": ("1''234,50", "string", (COMMA,), "1234.5"),  # doubled for SQL
    "comma-refuses-a-point": ("2.50", "string", (COMMA,), None),
    "comma-refuses-groups-of-two": ("12.34.567,0", "string", (COMMA,), None),
    "comma-refuses-mixed-groups": ("1.234 567,0", "string", (COMMA,), None),
    "comma-refuses-groups-behind-it": ("1,234.5", "string", (COMMA,), None),
    "comma-refuses-two": ("1,2,3", "string", (COMMA,), None),
    "comma-refuses-nothing": ("", "string", (COMMA,), None),
    "numbers-need-no-comma": ("2.5", "decimal(9,2)", (COMMA,), "2.5"),
    "integer": ("7", "int", (), "7"),
    "double": ("0.1", "double", (), "0.1"),
    "too-large-for-money": ("1e30", "double", (), (None, 1e30)),
    "boolean-is-no-number": ("true", "boolean", (), None),
}
# an SQL value, what text() makes of it
TEXTS = {
    "trimmed": ("' b 1 '", "b 1"),
    "blank": ("'  '", None),
    "integer": ("4711", "4711"),
    "whole-float": ("CAST(4711 AS DOUBLE)", "4711"),
    "large-whole-float": ("CAST(123456789012 AS DOUBLE)", "123456789012"),
    "float": ("CAST(1.5 AS DOUBLE)", "1.5"),
    "date": ("DATE'2025-01-31'", "2025-01-31"),
}


@pytest.fixture(scope="module")
def times(spark):
    rows = spark.range(1).select(
        *(F.expr(f"cast('{at}' as {kind})").alias(case) for case, (at, kind, *_) in TIMES.items())
    )
    shown = [
        F.date_format(sold_at(rows, case, settings(*given).input), "yyyy-MM-dd HH:mm:ss.SSSSSS").alias(case)
        for case, (_, _, given, _) in TIMES.items()
    ]
    return rows.select(*shown).first()


@pytest.mark.parametrize("case", TIMES)
def test_sold_at(times, case):
    expected = TIMES[case][3]
    assert times[case] == (expected and f"{expected:%Y-%m-%d %H:%M:%S.%f}")


@pytest.fixture(scope="module")
def numbers(spark):
    rows = spark.range(1).select(
        *(F.expr(f"cast('{value}' as {kind})").alias(case) for case, (value, kind, *_) in NUMBERS.items())
    )
    return rows.select(
        *(
            number(rows, case, sql, settings(*given).input).alias(f"{case} {sql}")
            for case, (_, _, given, _) in NUMBERS.items()
            for sql in ("DOUBLE", "DECIMAL(18,4)")
        )
    ).first()


@pytest.mark.parametrize("case", NUMBERS)
def test_number(numbers, case):
    expected = NUMBERS[case][3]
    money, real = expected if isinstance(expected, tuple) else (expected, expected and float(expected))
    assert numbers[f"{case} DECIMAL(18,4)"] == (money and Decimal(money))
    assert numbers[f"{case} DOUBLE"] == real


def test_numbers_do_not_go_through_text(spark, capsys):
    rows = spark.range(3).selectExpr("id / 3 AS paid", "cast(id as string) AS units")
    for source, is_cast in (("paid", False), ("units", True)):
        rows.select(number(rows, source, "DOUBLE", settings().input)).explain()
        assert ("trim(" in capsys.readouterr().out) is is_cast


def test_text(spark):
    rows = spark.range(1).select(*(F.expr(sql).alias(case) for case, (sql, _) in TEXTS.items()))
    found = rows.select(*(text(rows, {case: case}, case).alias(case) for case in TEXTS)).first()
    assert found.asDict() == {case: expected for case, (_, expected) in TEXTS.items()}
