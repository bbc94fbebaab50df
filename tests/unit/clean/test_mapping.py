from datetime import datetime

import pytest
from pyspark.sql import functions as F

from basketlens.clean.mapping import sold_at
from tests.builders import settings

BERLIN = "input.time_zone=Europe/Berlin"
CASES = {
    "iso": ("2025-01-31 10:00:00", "string", (), datetime(2025, 1, 31, 10)),
    "iso-t-and-fraction": ("2025-01-31T10:00:00.5", "string", (), datetime(2025, 1, 31, 10, 0, 0, 500000)),
    "date-only": ("2025-01-31", "string", (), datetime(2025, 1, 31)),
    "pattern": (
        "31.01.2025 10:00",
        "string",
        ("input.timestamp_format=dd.MM.yyyy HH:mm",),
        datetime(2025, 1, 31, 10),
    ),
    "zone-of-the-source": ("2025-01-31 10:00:00", "string", (BERLIN,), datetime(2025, 1, 31, 9)),
    "offset-wins": ("2025-01-31T10:00:00+02:00", "string", (BERLIN,), datetime(2025, 1, 31, 8)),
    "utc-mark-wins": ("2025-01-31T10:00:00Z", "string", (BERLIN,), datetime(2025, 1, 31, 10)),
    "no-time": ("soon", "string", (), None),
    "ntz": ("2025-07-31 10:00:00", "timestamp_ntz", (BERLIN,), datetime(2025, 7, 31, 8)),
    "date": ("2025-01-31", "date", (), datetime(2025, 1, 31)),
    "seconds": ("1738317600", "bigint", (), datetime(2025, 1, 31, 10)),
    "milliseconds": ("1738317600000", "bigint", (), datetime(2025, 1, 31, 10)),
    "nanoseconds": ("1738317600000000000", "bigint", (), datetime(2025, 1, 31, 10)),
    "boolean-is-no-time": ("true", "boolean", (), None),
}


@pytest.mark.parametrize("case", CASES)
def test_sold_at(spark, case):
    text, kind, assignments, expected = CASES[case]
    rows = spark.range(1).select(F.expr(f"cast('{text}' as {kind})").alias("at"))
    found = rows.select(
        F.date_format(sold_at(rows, "at", settings(*assignments).input), "yyyy-MM-dd HH:mm:ss.SSSSSS")
    ).first()[0]
    assert found == (expected and f"{expected:%Y-%m-%d %H:%M:%S.%f}")
