"""The whole job through submit.sh, as a user runs it, on a small cut of the real receipts."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.real_cut import write_cut
from tests.cluster.shell import readme_commands, shell

TABLES = {
    "lines", "rejects", "products", "items", "embeddings", "links", "link_stats", "itemsets", "rules", "rule_drift",
    "associations", "cross_sell", "runs",
}  # fmt: skip
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The README's first command as written, on the cut: its folder, the variables that name the cut, its output."""
    folder = tmp_path_factory.mktemp("shop")
    transactions, products = write_cut(folder / "in")
    variables = {
        "BASKETLENS__INPUT__TRANSACTIONS": transactions,
        "BASKETLENS__INPUT__PRODUCTS": products,
        "BASKETLENS__MINE__MIN_COUNT": "10",
        "BASKETLENS__TABLES__ROOT": "tables",
    }
    command = readme_commands()[0]
    assert command.startswith("./submit.sh pipeline ")
    done = shell(folder, command, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, variables, done


def read(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / table)


def test_every_table_of_the_contract_is_written(job):
    folder, _, _ = job
    assert TABLES <= {path.name for path in (folder / "tables").iterdir()}
    assert not (folder / "tables" / ".staging").exists() or not any(
        (folder / "tables" / ".staging").iterdir()
    )
    assert {table for table in TABLES if not len(read(folder, table))} == {
        "rule_drift"
    }  # nothing to compare with yet


def test_rows_in_are_lines_and_rejects(job):
    folder, _, _ = job
    rows_in = len(pd.read_parquet(folder / "in" / "transactions.parquet"))
    assert rows_in == read(folder, "lines").source_rows.sum() + len(read(folder, "rejects"))


def test_counts_agree_with_the_receipts(job):
    """Pairs of the table against pandas on the published lines."""
    folder, _, _ = job
    lines = read(folder, "lines").merge(read(folder, "products")[["product_id", "name_hash"]])
    baskets = lines.groupby("basket_id").name_hash.agg(set)
    itemsets = read(folder, "itemsets")
    assert {1, 2, 3} <= set(itemsets["size"])
    for row in itemsets.sample(40, random_state=1).itertuples():
        assert row.count == sum(set(row.items) <= basket for basket in baskets)
        assert row.support == pytest.approx(row.count / len(baskets))


def test_no_raw_customer_id_is_in_any_output(job):
    folder, _, done = job
    ids = set(pd.read_parquet(folder / "in" / "transactions.parquet").household_id.astype(str))
    keys = read(folder, "lines").customer_key
    assert keys.str.fullmatch("[0-9a-f]{32}").all()
    assert not set(keys) & ids
    rejects = read(folder, "rejects").raw.map(json.loads)
    assert all("customer_id" not in row and row.get("customer_key", "") not in ids for row in rejects)
    secret = (folder / "out" / "privacy.key").read_text().strip()
    written = [path for path in (folder / "tables").rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in written)
    assert secret not in done.stdout + done.stderr


def test_the_summary_says_what_came_out(job):
    folder, _, done = job
    for word in ("rows", "items", "links", "itemsets", "rules", "rule_drift", "strongest associations"):
        assert word in done.stdout
    assert "report    tables/report.html" in done.stdout
    page = (folder / "tables" / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_each_stage_says_its_result_in_one_plain_line(job):
    _, _, done = job
    stages = [line.split()[0] for line in done.stdout.splitlines() if " done " in line]
    assert stages == ["clean", "embed", "link", "mine", "report", "serve"]
    assert [line.split()[0] for line in done.stdout.splitlines() if " off " in line] == ["finetune"]


def test_a_second_run_skips_every_stage_and_says_so(job):
    folder, variables, _ = job
    again = shell(folder, "./submit.sh pipeline --run-id second", **variables)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "every stage was skipped" in again.stdout
    runs = read(folder, "runs")
    assert set(runs[runs.run_id == "second"].status) == {"skipped"}
    assert len(runs[runs.run_id == "second"]) == 7


def test_a_changed_setting_runs_just_what_depends_on_it(job):
    folder, variables, _ = job
    again = shell(folder, "./submit.sh pipeline --set serve.companions=3 --run-id third", **variables)
    assert again.returncode == 0, again.stdout + again.stderr
    runs = read(folder, "runs")
    statuses = runs[runs.run_id == "third"].set_index("stage").status
    assert statuses.to_dict() == {
        **dict.fromkeys(("clean", "embed", "finetune", "link", "mine", "report"), "skipped"),
        "serve": "done",
    }
    assert read(folder, "cross_sell")["rank"].max() == 3


def test_a_failing_job_exits_non_zero_and_loses_nothing(job):
    folder, variables, _ = job
    before = read(folder, "lines")
    failed = shell(
        folder, "./submit.sh pipeline --set clean.columns.basket_id=ticket --run-id broken", **variables
    )
    assert failed.returncode == 2
    said = failed.stdout + failed.stderr  # spark-submit joins the driver's two streams
    assert "'ticket' (clean.columns.basket_id)" in said
    assert "Traceback" not in said
    assert read(folder, "lines").equals(before)
    runs = read(folder, "runs")
    broken = runs[runs.run_id == "broken"]
    assert broken.status.tolist() == ["failed"]
    assert "ticket" in broken.message.iloc[0]


def test_bad_data_stops_the_run_with_status_3(job):
    folder, variables, _ = job
    failed = shell(folder, "./submit.sh pipeline --set clean.gates.rejected.max=0.0", **variables)
    assert failed.returncode == 3
    assert "Nothing was published" in failed.stdout + failed.stderr
