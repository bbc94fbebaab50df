"""Staging, publishing, recovery, contracts: a failed run leaves the earlier tables as they were."""

import pytest
from pyspark.sql import functions as F

from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.errors import InputError, LimitError, SettingsError, TableContractError
from basketlens.tables import Tables
from tests.builders import settings, table

LINE = {"basket_id": "b1", "product_id": "p1", "quantity": 1.0, "source_rows": 2}


@pytest.fixture
def make(spark, tmp_path):
    def tables(run_id="r1", *assignments):
        root = str(tmp_path / "tables")
        return Tables(spark, settings(f"tables.root={root}", *assignments), FileSystem(spark, root), run_id)

    return tables


def test_a_table_is_seen_by_others_when_it_is_published(spark, make):
    mine, theirs = make("r1"), make("r2")
    written = mine.write("lines", table(spark, schemas.LINES, LINE, LINE), {"source": F.sum("source_rows")})
    assert written == (2, {"source": 4})
    assert mine.read("lines").count() == 2
    with pytest.raises(InputError, match=r"Table 'lines' is not there yet"):
        theirs.read("lines")
    mine.publish(("lines",))
    assert theirs.read("lines").count() == 2
    assert not (make().path("x") and FileSystem(spark, mine.root).exists(f"{mine.root}/.staging/r1"))


def test_an_empty_table_is_a_table(spark, make):
    tables = make()
    assert tables.write("lines", table(spark, schemas.LINES)).rows == 0
    tables.publish(("lines",))
    assert tables.exists("lines")
    assert tables.read("lines").schema == table(spark, schemas.LINES).schema
    assert tables.read("lines").count() == 0


def test_discard_leaves_the_published_table(spark, make):
    first = make("r1")
    first.write("lines", table(spark, schemas.LINES, LINE))
    first.publish(("lines",))
    second = make("r2")
    second.write("lines", table(spark, schemas.LINES))
    second.discard()
    assert second.read("lines").count() == 1


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        pytest.param(lambda df: df.drop("store_id"), ["store_id: string (found nothing)"], id="missing"),
        pytest.param(
            lambda df: df.withColumn("amount", F.lit(1)), ["amount: decimal(18,4) (found int)"], id="type"
        ),
    ],
)
def test_a_table_that_breaks_its_contract_is_refused(spark, make, change, parts):
    with pytest.raises(TableContractError) as error:
        make().write("lines", change(table(spark, schemas.LINES, LINE)))
    assert [part for part in ("Table 'lines'", *parts) if part not in str(error.value)] == []


def test_a_users_own_lines_stand_in_for_ours(spark, make, tmp_path):
    own = table(spark, schemas.LINES, LINE).drop("source_rows", "sold_on").withColumn("extra", F.lit(1))
    own.write.parquet(str(tmp_path / "own"))
    tables = make("r1", f"tables.read.lines={tmp_path}/own")
    assert tables.read("lines").schema.names == schemas.LINES_INPUT.names
    with pytest.raises(InputError, match=r"tables\.read\.lines = '/nowhere/at/all' cannot be read"):
        make("r2", "tables.read.lines=/nowhere/at/all").read("lines")


def test_a_log_keeps_the_rows_of_failed_runs(make):
    row = {**dict.fromkeys(schemas.DATA_QUALITY.names), "run_id": "r1", "metric": "rows", "value": 4.0}
    first, second = make("r1"), make("r2")
    assert not first.exists("data_quality")
    first.append("data_quality", [row, {**row, "metric": "lines"}])
    first.discard()
    second.append("data_quality", [{**row, "run_id": "r2"}])
    found = sorted((r.run_id, r.metric, r.value, r.since) for r in second.read("data_quality").collect())
    assert found == [("r1", "lines", 4.0, None), ("r1", "rows", 4.0, None), ("r2", "rows", 4.0, None)]
    with pytest.raises(KeyError, match="detail"):
        first.append("data_quality", [{name: row[name] for name in row if name != "detail"}])


def test_an_optional_table_that_was_not_written_goes(spark, make):
    """An earlier run's would stand beside tables that it does not belong to."""
    first, second = make("r1"), make("r2")
    for tables, optional in ((first, True), (second, False)):
        tables.write("link_stats", table(spark, schemas.LINK_STATS))
        if optional:
            tables.write("contexts", table(spark, schemas.CONTEXTS))
        tables.publish(("link_stats",), optional=("contexts",))
        assert (tables.exists("link_stats"), tables.exists("contexts")) == (True, optional)


def test_a_table_that_was_not_written_is_not_published(make):
    with pytest.raises(AssertionError, match="'items' is to be published but was not written"):
        make().publish(("items",))


@pytest.mark.parametrize("run_id", ["a/b", "..", "", ".hidden"])
def test_a_run_id_names_a_folder(make, run_id):
    with pytest.raises(SettingsError, match="cannot name a folder"):
        make(run_id)


def test_a_replacement_for_no_table_is_refused(make):
    with pytest.raises(SettingsError, match=r"(?s)tables\.read\.line names no table.*Tables: lines, rejects"):
        make("r1", "tables.read.line=/some/where")


def test_no_more_than_the_limit_reaches_the_driver(spark, make):
    tables = make()
    assert len(tables.to_driver(spark.range(5), limit=5, what="numbers")) == 5
    with pytest.raises(LimitError, match="More than 4 numbers"):
        tables.to_driver(spark.range(5), limit=4, what="numbers")
