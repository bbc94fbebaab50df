"""Tables with a folder per day: what a run over a window replaces, and what it leaves alone."""

from datetime import date
from pathlib import Path

import pytest

from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.errors import TableContractError
from basketlens.tables import Tables
from tests.builders import settings, table

JANUARY = ("clean.since=2025-01-30", "clean.until=2025-02-01")  # two days
INFERENCE = "spark.sql.sources.partitionColumnTypeInference.enabled"


@pytest.fixture
def make(spark, tmp_path):
    def tables(run_id, *assignments):
        root = str(tmp_path / "tables")
        return Tables(spark, settings(f"tables.root={root}", *assignments), FileSystem(spark, root), run_id)

    return tables


@pytest.fixture
def write(spark):
    """Stage `lines`: one line per (basket, day of January or later, None for an unknown day)."""

    def staged(tables, *lines):
        rows = [
            {
                "basket_id": b,
                "sold_on": None if d is None else date(2025, 1, d) if d > 0 else date(2025, 2, -d),
            }
            for b, d in lines
        ]
        return tables.write("lines", table(spark, schemas.LINES, *rows))

    return staged


def found(tables) -> dict[str, str]:
    return {row.basket_id: str(row.sold_on) for row in tables.read("lines").collect()}


def files(tables) -> dict[str, tuple[bytes, int]]:
    folder = Path(tables.path("lines"))
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture(params=["true", "false"], ids=["types-inferred", "types-not-inferred"])
def inference(spark, request):
    before = spark.conf.get(INFERENCE)
    spark.conf.set(INFERENCE, request.param)
    yield
    spark.conf.set(INFERENCE, before)


@pytest.mark.usefixtures("inference")
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([("b1", 30), ("b2", 31), ("b3", 31), ("b4", None)], id="days"),
        pytest.param([("b1", None)], id="no-day-known"),
        pytest.param([], id="no-rows"),
    ],
)
def test_days_come_back_as_dates(make, write, lines):
    tables = make("r1")
    assert write(tables, *lines).rows == len(lines)
    wanted = {b: str(d and date(2025, 1, d)) for b, d in lines}
    assert found(tables) == wanted
    tables.publish(["lines"])
    assert found(make("r2")) == wanted
    assert {f.name: f.dataType for f in make("r2").read("lines").schema} == {
        f.name: f.dataType for f in schemas.LINES
    }


def test_a_day_is_one_file(spark, make):
    tables = make("r1")
    rows = [{"basket_id": f"b{i}", "sold_on": date(2025, 1, 1 + i % 5)} for i in range(100)]
    tables.write("lines", table(spark, schemas.LINES, *rows).repartition(8))
    tables.publish(["lines"])
    assert len([name for name in files(tables) if name.endswith(".parquet")]) == 5


def test_a_window_replaces_its_days_and_rows_without_a_day(make, write):
    first = make("r1")
    write(first, ("a29", 29), ("a30", 30), ("a31", 31), ("b1", -1), ("none", None))
    first.publish(["lines"])
    before = files(first)
    second = make("r2", *JANUARY)
    assert write(second, ("new31", 31), ("none-now", None)).rows == 2
    wanted = {"a29": "2025-01-29", "b1": "2025-02-01", "new31": "2025-01-31", "none-now": "None"}
    assert found(second) == wanted  # as it will be
    assert files(first) == before  # but not yet
    second.publish(["lines"])
    assert found(make("r3")) == wanted
    after = files(first)
    assert not any("sold_on=2025-01-30" in name for name in after)  # became empty
    kept = {name for name in before if "01-29" in name or "02-01" in name or "_SUCCESS" in name}
    assert len(kept) >= 3
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}


def test_a_window_without_rows_empties_its_days(make, write):
    write(tables := make("r1"), ("a29", 29), ("a30", 30))
    tables.publish(["lines"])
    write(tables := make("r2", *JANUARY))
    assert found(tables) == {"a29": "2025-01-29"}
    tables.publish(["lines"])
    write(tables := make("r3", "clean.since=2025-01-01"))
    tables.publish(["lines"])
    assert found(make("r4")) == {}
    assert make("r4").exists("lines")


def test_a_window_run_twice_changes_nothing(make, write):
    write(tables := make("r1"), ("a29", 29), ("a30", 30))
    tables.publish(["lines"])
    states = []
    for run_id in ("r2", "r3"):
        write(tables := make(run_id, *JANUARY), ("b30", 30), ("b31", 31), ("none", None))
        tables.publish(["lines"])
        states.append(found(tables))
    assert states[0] == states[1]
    assert set(states[0]) == {"a29", "b30", "b31", "none"}


def test_the_first_run_may_be_over_a_window(make, write):
    write(tables := make("r1", *JANUARY), ("b30", 30))
    assert found(tables) == {"b30": "2025-01-30"}
    tables.publish(["lines"])
    assert found(make("r2")) == {"b30": "2025-01-30"}
    assert make("r2").exists("lines")


def test_a_run_over_all_days_replaces_the_table(make, write):
    write(tables := make("r1"), ("a29", 29), ("a30", 30))
    tables.publish(["lines"])
    write(tables := make("r2"), ("b31", 31))
    assert found(tables) == {"b31": "2025-01-31"}
    tables.publish(["lines"])
    assert found(make("r3")) == {"b31": "2025-01-31"}


def test_rows_outside_the_window_are_our_bug_and_are_not_published(make, write):
    write(tables := make("r1"), ("a29", 29), ("b1", -1))
    tables.publish(["lines"])
    before = files(tables)
    write(tables := make("r2", *JANUARY), ("b30", 30), ("stray", -1))
    with pytest.raises(
        AssertionError, match=r"outside days from 2025-01-30 until 2025-02-01: sold_on=2025-02-01"
    ):
        tables.publish(["lines"])
    tables.discard()
    assert files(make("r3")) == before


def test_a_table_without_days_is_refused_by_name(spark, make, write):
    tables = make("r1", *JANUARY)
    table(spark, schemas.LINES, {"basket_id": "old"}).drop("sold_on").write.parquet(tables.path("lines"))
    write(tables, ("b30", 30))
    with pytest.raises(TableContractError, match=r"sold_on: date \(found nothing\)"):
        tables.read("lines")
