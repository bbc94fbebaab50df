"""Raw inputs: formats, bad records kept, messages for what is missing."""

import json

import pytest

from basketlens.clean.mapping import sold_at
from basketlens.errors import InputError, SettingsError
from basketlens.faults import as_user_error
from basketlens.formats import CORRUPT
from basketlens.source_columns import source_column
from basketlens.sources import file_set_version, read_source, windowed
from tests.builders import settings

WANTED = {"clean.columns.basket_id": "receipt", "clean.columns.product_id": "sku"}


def read(spark, path, kind, *assignments, wanted=WANTED, where=""):
    given = settings(*assignments).input
    return read_source(spark, given, str(path), kind, wanted, setting="input.transactions", where=where).rows


def values(rows):
    return sorted((row.receipt, row.sku) for row in rows.filter(f"{CORRUPT} is null").collect())


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


def test_a_saved_catalogue_table(spark, tmp_path):
    rows = spark.createDataFrame(
        [("b1", "p1", "OK"), ("b2", "p2", "VOID")], "receipt string, sku string, status string"
    )
    spark.sql("CREATE DATABASE IF NOT EXISTS warehouse_of_test")
    rows.write.mode("overwrite").saveAsTable("warehouse_of_test.sales")
    try:
        found = read(spark, "warehouse_of_test.sales", "table", where="status = 'OK'")
        assert values(found) == [("b1", "p1")]
        assert found.first()["source"] == "warehouse_of_test.sales"
    finally:
        spark.sql("DROP DATABASE warehouse_of_test CASCADE")


EXPRESSIONS = {
    "clean.columns.basket_id": "=concat(`the store`, '-', ticket)",
    "clean.columns.product_id": "sku",
    "clean.columns.sold_at": "=timestamp_seconds((cast(day AS BIGINT) - 2440588) * 86400L + cast(second AS BIGINT))",
    "clean.columns.quantity": "= - cast(units AS INT)",
}


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_expressions_over_source_columns(spark, tmp_path, kind):
    rows = spark.createDataFrame(
        [("s1", "17", "p1", "2460707", "36000", "2"), ("s1", None, "p2", None, "0", "1")],
        "`the store` string, ticket string, sku string, day string, second string, units string",
    )
    rows.coalesce(1).write.option("header", True).format(kind).save(f"{tmp_path}/feed")
    found = read(spark, tmp_path / "feed", kind, wanted=EXPRESSIONS)
    shown = found.select(*map(source_column, EXPRESSIONS.values())).collect()
    assert {tuple(map(str, row)) for row in shown} == {
        ("s1-17", "p1", "2025-01-31 10:00:00", "-2"),
        ("None", "p2", "None", "-1"),
    }


def test_an_expression_goes_through_clean(spark, tmp_path, monkeypatch):
    """Every use of a mapped column must find one whose name holds backticks, dots and quotes."""
    from basketlens import privacy_key
    from basketlens.progress import PlainProgress
    from basketlens.run import Run

    monkeypatch.delenv(privacy_key.VARIABLE, raising=False)
    privacy_key.read_secret.cache_clear()
    (tmp_path / "feed.csv").write_text("shop.no,ticket,sku,card,time,units,paid\ns1,1,p1,c1,2025-01-31,2,5\n")
    mapped = {
        "basket_id": "=concat(`shop.no`, '-', ticket)", "product_id": "=upper(`sku`)", "customer_id": "=lower(`card`)",
        "store_id": "shop.no", "sold_at": "=`time`", "quantity": "=`units`", "amount": "=`paid`", "product_name": "=`sku`",
    }  # fmt: skip
    chosen = settings(
        f"input.transactions={tmp_path}/feed.csv", "input.format=csv", f"tables.root={tmp_path}/tables",
        f"privacy.key_file={tmp_path}/key", "privacy.create_key_file=true",
        *(f'clean.columns.{ours}="{source}"' for ours, source in mapped.items()),
    )  # fmt: skip
    Run(spark, chosen, PlainProgress(), "r").execute(("clean",))
    [line] = spark.read.parquet(f"{tmp_path}/tables/lines").collect()
    assert (line.basket_id, line.product_id, line.store_id, line.quantity) == ("s1-1", "P1", "s1", 2.0)


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        pytest.param("=nope(sku)", "nope", id="function"),
        pytest.param("=concat(sku, article)", "article", id="column"),
        pytest.param("=concat(sku", "PARSE", id="syntax"),
        pytest.param("=max(sku)", "max(sku)", id="aggregate"),
        pytest.param("=explode(array(sku))", "explode", id="several-rows"),
    ],
)
def test_a_wrong_expression_is_said(spark, tmp_path, sql, part):
    (tmp_path / "a.csv").write_text("receipt,sku\nb1,p1\n")
    with pytest.raises(InputError) as error:
        read(spark, tmp_path / "a.csv", "csv", wanted={**WANTED, "clean.columns.store_id": sql})
    message = str(error.value)
    assert [p for p in ("clean.columns.store_id", sql, "Spark says", part) if p not in message] == [], message


def test_an_expression_that_fails_on_a_row_is_the_users_to_mend(spark, tmp_path):
    if spark.conf.get("spark.sql.ansi.enabled") == "false":
        pytest.skip("this Spark makes null of what cannot be computed")
    (tmp_path / "a.csv").write_text("receipt,sku\nb1,p1\n")
    rows = read(
        spark, tmp_path / "a.csv", "csv", wanted={**WANTED, "clean.columns.quantity": "=cast(sku AS INT)"}
    )
    with pytest.raises(Exception) as error:
        rows.collect()
    said = as_user_error(error.value)
    assert isinstance(said, InputError)
    assert "CAST_INVALID_INPUT" in str(said)
    assert "p1" not in str(said)  # it might be a customer's id, and errors are kept


def test_a_condition_keeps_what_could_not_be_parsed(spark, tmp_path):
    (tmp_path / "a.csv").write_text("receipt,sku,status\nb1,p1,OK\nb2,p2,VOID\nb3\nb4,p4,\n")
    rows = read(spark, tmp_path / "a.csv", "csv", where="status = 'OK'")
    assert (values(rows), corrupt(rows)) == ([("b1", "p1")], ["b3"])
    assert set(rows.columns) == {"receipt", "sku", CORRUPT, "source"}  # status decides and is not read on


@pytest.mark.parametrize(
    ("where", "part"),
    [
        pytest.param("state = 'OK'", "state", id="column"),
        pytest.param("status = = 'OK'", "PARSE", id="syntax"),
        pytest.param("status", "BOOLEAN", id="no-condition"),
    ],
)
def test_a_wrong_condition_is_said(spark, tmp_path, where, part):
    (tmp_path / "a.csv").write_text("receipt,sku,status\nb1,p1,OK\n")
    with pytest.raises(InputError) as error:
        read(spark, tmp_path / "a.csv", "csv", where=where)
    message = str(error.value)
    assert [p for p in ("input.where", where, part, "receipt, sku, status") if p not in message] == [], (
        message
    )


def test_a_condition_has_the_window_of_the_run():
    where = "day BETWEEN '{since}' AND '{until}' AND code RLIKE 'a{2}'"
    filled = windowed(where, since="2025-01-01", until="2025-01-31")
    assert filled == "day BETWEEN '2025-01-01' AND '2025-01-31' AND code RLIKE 'a{2}'"
    with pytest.raises(SettingsError, match=r"\{until\}, but this run has no --until"):
        windowed(where, since="2025-01-01")


def test_a_column_with_a_name_of_ours(spark, tmp_path):
    (tmp_path / "a.csv").write_text("receipt,sku,Source\nb1,p1,till\n")
    with pytest.raises(SettingsError, match='"=Source"'):
        read(spark, tmp_path / "a.csv", "csv", wanted={**WANTED, "clean.columns.store_id": "Source"})
    rows = read(spark, tmp_path / "a.csv", "csv", wanted={**WANTED, "clean.columns.store_id": "=Source"})
    assert rows.first()["=Source"] == "till"


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
    before = file_set_version(spark, str(tmp_path), setting="input.transactions")
    assert file_set_version(spark, str(tmp_path), setting="input.transactions") == before
    (tmp_path / "b").write_text("2")
    assert file_set_version(spark, str(tmp_path), setting="input.transactions") != before
