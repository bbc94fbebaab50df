"""The job on a real standalone cluster: a master and two workers in processes of their own, on loopback."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cluster.real_cut import write_cut
from tests.cluster.shell import shell
from tests.cluster.standalone import standalone

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def master(tmp_path_factory) -> Iterator[str]:
    """URL of the master, once both workers have registered."""
    with standalone(tmp_path_factory.mktemp("cluster"), cores=1, memory="2g") as url:
        yield url


@pytest.fixture(scope="module")
def folder(master, tmp_path_factory) -> Path:
    """Where the whole pipeline ran on the cluster, with event logs on."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "events").mkdir()
    (folder / "key").write_text("a secret of the shop's own\n")
    (folder / "key").chmod(0o600)
    transactions, products = write_cut(folder / "in")
    variables = {
        "BASKETLENS__INPUT__TRANSACTIONS": transactions,
        "BASKETLENS__INPUT__PRODUCTS": products,
        "BASKETLENS__MINE__MIN_COUNT": "10",
        "BASKETLENS__TABLES__ROOT": f"{folder}/tables",
        "BASKETLENS__PRIVACY__KEY_FILE": f"{folder}/key",
        "PYSPARK_PYTHON": sys.executable,
    }
    spark_args = (
        f"--master {master} --executor-memory 1g --conf spark.executor.memoryOverhead=1g --driver-memory 1g"
        f" --conf spark.eventLog.enabled=true --conf spark.eventLog.compress=false --conf spark.eventLog.dir=file:{folder}/events --conf spark.driver.host=127.0.0.1"
    )
    done = shell(folder, f"./submit.sh pipeline -- {spark_args}", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def events(folder: Path) -> list[dict]:
    files = [
        path for path in (folder / "events").rglob("*") if path.is_file() and "appstatus" not in path.name
    ]
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_tasks_ran_on_both_workers(folder):
    executors = {
        event["Task Info"]["Executor ID"]
        for event in events(folder)
        if event["Event"] == "SparkListenerTaskEnd"
    }
    assert executors == {"0", "1"}


def test_the_tables_are_those_of_any_cluster(folder):
    rows = {
        path.name: len(pd.read_parquet(path))
        for path in (folder / "tables").iterdir()
        if path.is_dir() and path.name[0] not in "._"
    }
    assert {"lines", "links", "itemsets", "associations", "cross_sell", "runs"} <= set(rows)
    assert {name for name in rows if not rows[name]} == {"rule_drift"}  # nothing to compare with yet


def test_no_customer_id_and_no_secret_is_in_an_event_log(folder):
    """Customer ids are short numbers, so the test looks for them where values of rows would stand: as whole JSON strings."""
    secret = (folder / "key").read_text().strip()
    texts = [path.read_text(errors="replace") for path in (folder / "events").rglob("*") if path.is_file()]
    assert texts
    assert not any(secret in text for text in texts)
    ids = pd.read_parquet(folder / "in" / "transactions.parquet").household_id.astype(str).unique()
    assert not [
        one
        for one in ids
        for text in texts
        if f'household_id":"{one}"' in text or f"household_id={one}" in text
    ]


def test_vectors_and_links_are_those_of_a_local_run(folder):
    tables = ("products", "items", "embeddings")
    reads = " ".join(f"--set tables.read.{name}={folder}/tables/{name}" for name in tables)
    for job in ("embed", "link"):
        done = shell(folder, f"./submit.sh {job} {reads} --set tables.root={folder}/local")
        assert done.returncode == 0, done.stdout + done.stderr

    def table(root: str, name: str, *keys: str) -> pd.DataFrame:
        return pd.read_parquet(folder / root / name).sort_values(list(keys), ignore_index=True)

    ours, theirs = (table(root, "embeddings", "name_hash") for root in ("tables", "local"))
    assert ours.name_hash.tolist() == theirs.name_hash.tolist()
    difference = np.abs(np.stack(ours.embedding) - np.stack(theirs.embedding))
    assert difference.max() < 5e-6  # batches differ: float rounding
    pd.testing.assert_frame_equal(
        table("tables", "links", "item_id", "rank"), table("local", "links", "item_id", "rank"), rtol=1e-6
    )
