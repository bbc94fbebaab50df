"""Drift from run to run on real tables: what is compared with what."""

import pytest

from basketlens import schemas
from basketlens.errors import InputError, TableContractError
from basketlens.progress import PlainProgress
from basketlens.run import Run
from tests.builders import settings, table


def lines_of(spark, folder, *baskets):
    rows = [
        {"basket_id": f"b{i}", "product_id": item, "quantity": 1.0}
        for i, basket in enumerate(baskets)
        for item in basket
    ]
    table(spark, schemas.LINES_INPUT, *rows).write.mode("overwrite").parquet(str(folder))


@pytest.fixture
def run(spark, tmp_path):
    def again(run_id, *baskets, chosen=()):
        lines_of(spark, tmp_path / "own", *baskets)
        made = settings(
            f"tables.root={tmp_path}/tables", f"tables.read.lines={tmp_path}/own", 'mine.levels=["product"]',
            "mine.min_count=2", *chosen,
        )  # fmt: skip
        [outcome] = Run(spark, made, PlainProgress(), run_id).execute(("mine",))
        drift = spark.read.parquet(f"{tmp_path}/tables/rule_drift").collect()
        found = {"".join(r["antecedent"]) + ">" + "".join(r["consequent"]): r["status"] for r in drift}
        assert outcome.figures["rule_drift"] == {
            status: list(found.values()).count(status) for status in ("born", "died", "moved", "stable")
        }
        return found

    return again


def test_from_run_to_run(spark, run, tmp_path):
    assert run("r1", *["ab"] * 30, *["a"] * 30, *["b"] * 60) == {}  # nothing to compare with
    spark.read.parquet(f"{tmp_path}/tables/rules").write.parquet(f"{tmp_path}/january")
    second = run("r2", *["ab"] * 58, *["a"] * 2, *["b"] * 90, *["cd"] * 2)
    assert second == {"a>b": "moved", "b>a": "stable", "c>d": "born", "d>c": "born"}
    third = run("r3", *["ab"] * 58, *["a"] * 2, *["b"] * 90)
    assert third == {"a>b": "stable", "b>a": "stable", "c>d": "died", "d>c": "died"}
    chosen = [f"mine.compare_with={tmp_path}/january"]
    assert run("r4", *["ab"] * 58, *["a"] * 2, *["b"] * 90, chosen=chosen) == {
        "a>b": "moved",
        "b>a": "stable",
    }


def test_rules_of_an_older_version_are_compared_with(spark, run, tmp_path):
    old = {
        "level": "product",
        "antecedent": ["a"],
        "consequent": ["b"],
        "n_ab": 2,
        "n_a": 2,
        "n_b": 2,
        "n": 2,
    }
    table(spark, schemas.RULE_COUNTS, old).write.parquet(f"{tmp_path}/tables/rules")
    table(spark, schemas.RULE_COUNTS, old | {"level": "name"}).write.mode("append").parquet(
        f"{tmp_path}/tables/rules"
    )
    assert run("r1", "ab", "ab") == {
        "a>b": "stable",
        "b>a": "born",
    }  # level name is not mined: nothing died there


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        pytest.param(None, InputError, r"mine\.compare_with = '.*/earlier' cannot be listed", id="not-there"),
        pytest.param(schemas.ITEMS, TableContractError, r"'rules' breaks its contract", id="no-rules"),
    ],
)
def test_what_cannot_be_compared_with_is_refused(spark, run, tmp_path, make, error, message):
    if make:
        table(spark, make).write.parquet(f"{tmp_path}/earlier")
    with pytest.raises(error, match=message):
        run("r1", "ab", "ab", chosen=[f"mine.compare_with={tmp_path}/earlier"])
