"""The same receipts in 1, 7 or 64 files, in another order, on more partitions: equal tables.

Equal rows stay together in one file: in two files they would be a repeated delivery, which is another input.
"""

import random

import pytest

from basketlens.clean.stage import run
from tests import builders, fuzz

TABLES = ("lines", "rejects", "items", "products")
# `source` names the file, so it alone may differ.
COLUMNS = {"rejects": ("row_hash", "reasons", "raw", "sold_on")}


def tables(memory_io, rows, key_file):
    io = memory_io({"raw_lines": (fuzz.PLAIN, rows), "raw_products": (builders.PRODUCT, fuzz.PRODUCTS)})
    run(io, builders.settings(*fuzz.SETTINGS, f"privacy.key_file={key_file}"))
    found = {}
    for name in TABLES:
        table = io.read(name)
        found[name] = sorted(map(repr, table.select(*COLUMNS.get(name, sorted(table.columns))).collect()))
    return found


@pytest.fixture(scope="module")
def receipts():
    """Distinct rows, many of one basket: without line ids, whose survivor is the first by file."""
    draw = random.Random(3)
    rows = [
        {
            "receipt": f"b{draw.randrange(25)}", "sku": draw.choice(["p1", "p2", "p4", "p9"]), "card": f"c{draw.randrange(6)}",
            "units": draw.choice(["1", "2", "0.1", "0.2", "-1", "-0.3", "x"]), "paid": f"{draw.randrange(900) / 100}",
            "time": f"2025-01-{1 + draw.randrange(4):02} {draw.randrange(24):02}:00:00",
        }
        for _ in range(300)
    ]  # fmt: skip
    return list({tuple(row.items()): row for row in rows}.values())


def test_the_cut_into_files_changes_nothing(spark, memory_io, receipts, key_file):
    expected = tables(memory_io, [{**row, "file": "all.csv"} for row in receipts], key_file)
    assert min(map(len, expected.values())) > 1
    partitions = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        for files in (7, 64):
            spark.conf.set("spark.sql.shuffle.partitions", str(files))
            cut = [{**row, "file": f"{random.Random(str(row)).randrange(files)}.csv"} for row in receipts]
            random.Random(files).shuffle(cut)
            assert tables(memory_io, cut, key_file) == expected
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", partitions)
