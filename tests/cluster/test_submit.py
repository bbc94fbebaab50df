"""The whole job through submit.sh, as a user runs it, on a small cut of the real receipts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.real_cut import write_cut

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
    "lines", "rejects", "products", "items", "embeddings", "links", "link_stats", "itemsets", "rules",
    "associations", "cross_sell", "runs",
}  # fmt: skip
pytestmark = pytest.mark.timeout(600)


def submit(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # Its own environment is the one that runs this test: nothing is installed again.
    environ = {**os.environ, "BASKETLENS_VENV": sys.prefix, **variables}
    for name in ("PYTHONPATH", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):  # of the test's own Spark
        environ.pop(name, None)
    return subprocess.run(
        [str(ROOT / "submit.sh"), *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Folder, settings and output of one whole run."""
    folder = tmp_path_factory.mktemp("shop")
    transactions, products = write_cut(folder / "in")
    arguments = [
        "pipeline", "--set", f"input.transactions={transactions}", "--set", f"input.products={products}",
        "--set", "mine.min_count=10", "--set", f"tables.root={folder}/tables",
    ]  # fmt: skip
    done = submit(folder, *arguments, "--run-id", "first")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, arguments, done


def read(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / table)


def test_every_table_of_the_contract_is_written(job):
    folder, _, _ = job
    assert TABLES <= {path.name for path in (folder / "tables").iterdir()}
    assert not (folder / "tables" / ".staging").exists() or not any(
        (folder / "tables" / ".staging").iterdir()
    )
    assert all(len(read(folder, table)) for table in TABLES)


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
    for word in ("rows", "items", "links", "itemsets", "rules", "strongest associations"):
        assert word in done.stdout
    assert f"report    {folder}/tables/report.html" in done.stdout
    page = (folder / "tables" / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_each_stage_says_its_result_in_one_plain_line(job):
    _, _, done = job
    stages = [line.split()[0] for line in done.stdout.splitlines() if " done " in line]
    assert stages == ["clean", "embed", "link", "mine", "report", "serve"]


def test_a_second_run_skips_every_stage_and_says_so(job):
    folder, arguments, _ = job
    again = submit(folder, *arguments, "--run-id", "second")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "every stage was skipped" in again.stdout
    runs = read(folder, "runs")
    assert set(runs[runs.run_id == "second"].status) == {"skipped"}
    assert len(runs[runs.run_id == "second"]) == 6


def test_a_changed_setting_runs_just_what_depends_on_it(job):
    folder, arguments, _ = job
    again = submit(folder, *arguments, "--set", "serve.companions=3", "--run-id", "third")
    assert again.returncode == 0, again.stdout + again.stderr
    runs = read(folder, "runs")
    statuses = runs[runs.run_id == "third"].set_index("stage").status
    assert statuses.to_dict() == {
        **dict.fromkeys(("clean", "embed", "link", "mine", "report"), "skipped"),
        "serve": "done",
    }
    assert read(folder, "cross_sell")["rank"].max() == 3


def test_a_failing_job_exits_non_zero_and_loses_nothing(job):
    folder, arguments, _ = job
    before = read(folder, "lines")
    failed = submit(folder, *arguments, "--set", "clean.columns.basket_id=ticket", "--run-id", "broken")
    assert failed.returncode == 2
    assert "'ticket' (clean.columns.basket_id)" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert read(folder, "lines").equals(before)
    runs = read(folder, "runs")
    broken = runs[runs.run_id == "broken"]
    assert broken.status.tolist() == ["failed"]
    assert "ticket" in submit(folder, "clean", "--set", "clean.columns.basket_id=ticket").stderr


def test_bad_data_stops_the_run_with_status_3(job):
    folder, arguments, _ = job
    failed = submit(folder, *arguments, "--set", "clean.max_rejected_share=0.0")
    assert failed.returncode == 3
    assert "Nothing was published" in failed.stderr
