"""The job on a real standalone cluster: a master and two workers in processes of their own, on loopback."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyspark
import pytest

from tests.cluster.real_cut import write_cut
from tests.cluster.shell import SHORT_LIVED_JAVA, shell

pytestmark = pytest.mark.timeout(600)
SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DEPLOY = "org.apache.spark.deploy"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(log: Path, text: str, seconds: int = 60) -> None:
    end = time.monotonic() + seconds
    while text not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < end, f"'{text}' did not appear in {log}: {log.read_text()[-2000:]}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def master(tmp_path_factory) -> Iterator[str]:
    """URL of the master, once both workers have registered."""
    folder = tmp_path_factory.mktemp("cluster")
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    environ = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JAVA_TOOL_OPTIONS": SHORT_LIVED_JAVA,
        "SPARK_HOME": str(SPARK_CLASS.parents[1]),
    }
    commands = {
        "master": [f"{DEPLOY}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"],
        **{
            f"worker{n}": [f"{DEPLOY}.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "1",
                           "--memory", "2g", "--work-dir", str(folder / f"work{n}"), url]
            for n in (1, 2)
        },
    }  # fmt: skip
    processes = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("w") as log:
                processes.append(
                    subprocess.Popen([str(SPARK_CLASS), *command], env=environ, stdout=log, stderr=log)
                )
            if name == "master":
                wait_for(folder / "master.log", "I have been elected leader")
        for n in (1, 2):
            wait_for(folder / f"worker{n}.log", "Successfully registered with master")
        yield url
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


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
