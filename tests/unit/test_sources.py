"""Raw inputs: formats, bad records kept, messages for what is missing."""

import json

import pytest

from basketlens.clean.mapping import sold_at
from basketlens.errors import InputError
from basketlens.formats import CORRUPT
from basketlens.sources import file_set_version, read_source
from tests.builders import settings

WANTED = {"clean.columns.basket_id": "receipt", "clean.columns.product_id": "sku"}


def read(spark, path, kind, *assignments, wanted=WANTED):
    given = settings(*assignments).input
    return read_source(spark, given, str(path), kind, wanted, setting="input.transactions").rows


def values(rows):
    return sorted((row.receipt, row.sku) for row in rows.filter(f"{CORRUPT} is null").collect())


def test_csv_keeps_a_record_with_too_few_or_too_many_fields(spark, tmp_path):
    (tmp_path / "a.csv").write_text("sku,receipt,other\np1,b1,x\np2\np3,b3,x,y\np4,b4,\n")
    rows = read(spark, tmp_path / "a.csv", "csv")
    assert values(rows) == [("b1", "p1"), ("b4", "p4")]
    assert corrupt(rows) == ["p2", "p3,b3,x,y"]
    assert set(rows.columns) == {"receipt", "sku", CORRUPT, "source"}


def test_csv_with_semicolons_latin1_and_a_byte_order_mark(spark, tmp_path):
    (tmp_path / "latin.csv").write_bytes("receipt;sku\nb1;käse\n".encode("latin-1"))
    (tmp_path / "bom.csv").write_bytes("\ufeffreceipt,sku\nb1,p1\n".encode())
    assert values(
        read(spark, tmp_path / "latin.csv", "csv", "input.delimiter=;", "input.encoding=latin-1")
    ) == [("b1", "käse")]
    assert values(read(spark, tmp_path / "bom.csv", "csv")) == [("b1", "p1")]


def test_csv_quotes_and_gzip(spark, tmp_path):
    import gzip

    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'receipt,sku\nb1,"p,1 ""big"""\n'))
    assert values(read(spark, tmp_path / "a.csv.gz", "csv")) == [("b1", 'p,1 "big"')]


def test_json_lines_keep_what_is_no_json(spark, tmp_path):
    lines = [json.dumps({"receipt": "b1", "sku": 7, "more": {"a": 1}}), "{oops", json.dumps({"sku": "p2"})]
    (tmp_path / "a.json").write_text("\n".join(lines))
    rows = read(spark, tmp_path / "a.json", "json")
    assert {(row.receipt, row.sku) for row in rows.filter(f"{CORRUPT} is null").collect()} == {
        ("b1", "7"),
        (None, "p2"),
    }
    assert corrupt(rows) == ["{oops"]


def test_parquet_with_nanoseconds_folders_and_globs(spark, tmp_path):
    import pandas as pd

    for day in (1, 2):
        frame = pd.DataFrame(
            {"receipt": [f"b{day}"], "sku": ["p1"], "at": pd.to_datetime([f"2025-01-0{day} 10:00:00"])}
        )
        (tmp_path / f"day={day}").mkdir()
        frame.to_parquet(tmp_path / f"day={day}" / "x.parquet")  # pandas writes timestamp[ns]
    wanted = {**WANTED, "clean.columns.sold_at": "at"}
    assert values(read(spark, tmp_path, "parquet", wanted=wanted)) == [("b1", "p1"), ("b2", "p1")]
    assert values(read(spark, f"{tmp_path}/day=*/x.parquet", "parquet", wanted=wanted)) == [
        ("b1", "p1"),
        ("b2", "p1"),
    ]
    rows = read(spark, tmp_path, "parquet", wanted=wanted)
    first = rows.select(sold_at(rows, "at", settings().input).alias("at")).orderBy("at").first()
    assert str(first["at"]) == "2025-01-01 10:00:00"


def test_a_catalogue_table(spark):
    spark.createDataFrame([("b1", "p1")], "receipt string, sku string").createOrReplaceTempView("feed")
    rows = read(spark, "feed", "table")
    assert values(rows) == [("b1", "p1")]
    assert rows.first()["source"] == "feed"


def corrupt(rows):
    return sorted(row[CORRUPT] for row in rows.collect() if row[CORRUPT] is not None)


@pytest.mark.parametrize(
    ("content", "kind", "parts"),
    [
        pytest.param(
            "receipt,article\nb1,p1\n",
            "csv",
            ["'sku' (clean.columns.product_id)", "article, receipt"],
            id="column",
        ),
        pytest.param("", "csv", ["is empty"], id="empty-csv"),
        pytest.param("", "json", ["is empty"], id="empty-json"),
        pytest.param('{"receipt": "b1"}', "json", ["'sku' (clean.columns.product_id)"], id="key"),
        pytest.param("receipt,sku\n", "parquet", ["cannot be read as parquet"], id="no-parquet"),
        pytest.param(None, "csv", ["cannot be read as csv"], id="nothing-there"),
    ],
)
def test_what_is_missing_is_said(spark, tmp_path, content, kind, parts):
    path = tmp_path / "feed"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as error:
        read(spark, path, kind)
    message = str(error.value)
    assert [part for part in ("input.transactions", *parts) if part not in message] == [], message


def test_a_file_set_has_another_version_when_a_file_changes(spark, tmp_path):
    (tmp_path / "a").write_text("1")
    before = file_set_version(spark, str(tmp_path))
    assert file_set_version(spark, str(tmp_path)) == before
    (tmp_path / "b").write_text("2")
    assert file_set_version(spark, str(tmp_path)) != before
