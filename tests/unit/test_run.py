"""Runs on real tables: what is skipped, what is logged, what a failure leaves behind."""

import json

import pytest

from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.errors import BasketLensError, InputError
from basketlens.faults import as_user_error
from basketlens.progress import PlainProgress
from basketlens.run import Run
from tests.builders import settings, table

LINES = [
    {"basket_id": f"b{i}", "product_id": p, "quantity": 1.0}
    for i in range(4)
    for p in ("milk", "tea", "jam")[: 2 + i % 2]
]
ITEM = {"level": "name", "category": "x", "lines": 1}


@pytest.fixture
def run(spark, tmp_path):
    """`mine` on a user's own lines; returns a function that runs it again with other settings."""
    own = tmp_path / "own"
    table(spark, schemas.LINES_INPUT, *LINES).write.parquet(str(own))

    def again(run_id, *assignments, force=False):
        chosen = settings(
            f"tables.root={tmp_path}/tables", f"tables.read.lines={own}",
            'mine.levels=["product"]', "mine.min_count=2", *assignments,
        )  # fmt: skip
        [outcome] = Run(spark, chosen, PlainProgress(), run_id, force=force).execute(("mine",))
        return outcome

    return again


def test_a_stage_runs_alone_on_a_users_lines_and_then_skips(spark, run, tmp_path):
    assert run("r1").status == "done"
    itemsets = {
        tuple(row["items"]): row["count"]
        for row in spark.read.parquet(f"{tmp_path}/tables/itemsets").collect()
    }
    assert itemsets[("milk", "tea")] == 4
    assert itemsets[("jam", "milk", "tea")] == 2
    assert run("r2").status == "skipped"
    assert run("r3", force=True).status == "done"
    assert run("r4", "mine.min_confidence=0.9").status == "done"
    assert (
        run("r5", "mine.min_confidence=0.9", "serve.companions=3").status == "skipped"
    )  # mine does not depend on it
    table(spark, schemas.LINES_INPUT, *LINES).write.mode("append").parquet(f"{tmp_path}/own")
    assert run("r6", "mine.min_confidence=0.9").status == "done"
    runs = {row.run_id: row for row in spark.read.parquet(f"{tmp_path}/tables/runs").collect()}
    assert {run_id: row.status for run_id, row in runs.items()} == {
        "r1": "done", "r2": "skipped", "r3": "done", "r4": "done", "r5": "skipped", "r6": "done",
    }  # fmt: skip
    assert runs["r1"].fingerprint == runs["r2"].fingerprint != runs["r4"].fingerprint
    manifest = json.loads((tmp_path / "tables" / "_manifests" / "mine.json").read_text())
    assert manifest["run_id"] == "r6"
    assert manifest["rows_out"]["itemsets"] == runs["r6"].rows_out["itemsets"]
    assert {"inputs", "settings_hash", "code_version", "seconds", "extra", "fingerprint"} <= set(manifest)


def test_mine_runs_again_when_the_rules_it_compares_with_change(spark, run, tmp_path):
    """A folder is known by its files; a catalogue table has no version that can be asked for, so it always counts as new."""

    def earlier(n_ab):
        counts = {"n_ab": n_ab, "n_a": 4, "n_b": 4, "n": 4}
        rule = {"level": "product", "antecedent": ["milk"], "consequent": ["tea"], **counts}
        return table(spark, schemas.RULE_COUNTS, rule).write.mode("overwrite")

    folder, own = f"mine.compare_with={tmp_path}/january", "mine.compare_with=earlier_rules_of_a_test"
    earlier(3).parquet(f"{tmp_path}/january")
    earlier(3).saveAsTable("earlier_rules_of_a_test")
    assert run("r1").status == "done"
    assert run("r2", folder).status == "done"
    assert run("r3", folder).status == "skipped"
    earlier(4).parquet(f"{tmp_path}/january")
    assert run("r4", folder).status == "done"
    [compared] = (
        spark.read.parquet(f"{tmp_path}/tables/rule_drift").filter("confidence_before is not null").collect()
    )
    assert (compared.antecedent, compared.confidence_before) == (["milk"], 1.0)
    assert [run(run_id, own).status for run_id in ("r5", "r6")] == ["done", "done"]
    spark.sql("DROP TABLE earlier_rules_of_a_test")


def test_a_failure_is_logged_and_leaves_the_tables(spark, run, tmp_path):
    run("r1")
    before = spark.read.parquet(f"{tmp_path}/tables/rules").count()
    with pytest.raises(InputError):
        run("r2", "tables.read.lines=/nowhere/at/all")
    assert spark.read.parquet(f"{tmp_path}/tables/rules").count() == before
    failed = spark.read.parquet(f"{tmp_path}/tables/runs").filter("run_id = 'r2'").first()
    assert failed.status == "failed"
    assert "/nowhere/at/all" in failed.message
    assert not (tmp_path / "tables" / ".staging").exists() or not list(
        (tmp_path / "tables" / ".staging").iterdir()
    )


def test_a_run_killed_while_publishing_is_finished_by_the_next(spark, run, tmp_path, monkeypatch):
    """The manifest comes with the tables: what was finished counts as done, and what it replaced does not."""
    run("r1")
    rules = spark.read.parquet(f"{tmp_path}/tables/rules").count()
    move = FileSystem.move

    def dies_at_rules(self, source, target):
        if target.endswith("/tables/rules"):
            raise KeyboardInterrupt
        move(self, source, target)

    monkeypatch.setattr(FileSystem, "move", dies_at_rules)
    with pytest.raises(KeyboardInterrupt):
        run("r2", "mine.min_confidence=0.9")
    monkeypatch.undo()
    assert not (tmp_path / "tables" / "rules").exists()
    assert run("r3", "mine.min_confidence=0.9").status == "skipped"
    assert 0 < spark.read.parquet(f"{tmp_path}/tables/rules").count() < rules
    assert json.loads((tmp_path / "tables" / "_manifests" / "mine.json").read_text())["run_id"] == "r2"
    assert not list((tmp_path / "tables" / ".staging").glob("*"))


@pytest.mark.parametrize(
    ("text", "status", "part"),
    [
        pytest.param(
            "Job aborted\njava.io.IOException: No space left on device", 4, "A disk is full", id="disk"
        ),
        pytest.param(
            "x: file:/a.parquet is not a Parquet file. Expected magic", 2, "cannot be read", id="unreadable"
        ),
        pytest.param(
            "basketlens.errors.InputError: no GPU here\nJVM stacktrace",
            2,
            "no GPU here",
            id="ours-from-a-worker",
        ),
        pytest.param(
            "java.net.ConnectException: Connection refused", 4, "may succeed later", id="lost-cluster"
        ),
        pytest.param("division by zero", None, "division", id="a-bug-stays-a-bug"),
    ],
)
def test_spark_errors_in_the_users_words(text, status, part):
    found = as_user_error(RuntimeError(text))
    assert part in str(found)
    assert (found.exit_status if isinstance(found, BasketLensError) else None) == status
