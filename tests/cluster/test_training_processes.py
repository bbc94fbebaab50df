"""One training by two processes on two workers of a standalone cluster, through the job's own entry."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from basketlens.finetune.heads import projections
from basketlens.finetune.options import training_options
from basketlens.finetune.pair_training import train_pairs
from basketlens.settings_files import load_settings
from tests.cluster.shell import shell
from tests.cluster.standalone import standalone
from tests.unit.finetune.shop import shop

pytestmark = pytest.mark.timeout(600)
SETTINGS = [
    "finetune.enabled=true", "finetune.heads.width=8", "finetune.heads.bias_width=4", "finetune.heads.frequent_keys=20",
    "finetune.pairs.steps=40", "finetune.pairs.rows=16", "finetune.baskets.steps=20", "finetune.baskets.rows=16",
    "finetune.evaluate.seeds=[3]", "finetune.evaluate.resamples=100", "finetune.evaluate.validation=0.2",
    "finetune.evaluate.test=0.2", "ease.max_items=40", 'privacy.key_file=""',
]  # fmt: skip


def write_inputs(folder: Path) -> None:
    """The tables that earlier stages would have left, of the small shop."""
    of = shop()
    ids = [f"i{i:02d}" for i in range(len(of.vectors))]
    sold = of.baskets.held.tocoo()
    days = pd.Timestamp("2025-01-01 12:00", tz="UTC") + pd.to_timedelta(sold.row // 6, unit="D")
    nothing = pa.nulls(len(sold.row), pa.string())
    strings = pa.list_(pa.float32())
    tables = {
        "lines": {
            "basket_id": [f"b{b:04d}" for b in sold.row], "product_id": [ids[i] for i in sold.col],
            "customer_key": [f"c{b % 20}" for b in sold.row], "store_id": nothing,
            "sold_at": pa.array(days, pa.timestamp("us", "UTC")), "quantity": pa.array([1.0] * len(sold.row)),
            "amount": pa.nulls(len(sold.row), pa.decimal128(18, 4)), "promotion": nothing,
        },
        "products": {
            "product_id": ids, "product_name": ids, "category": ids, "department": ids, "brand": ids,
            "unit_cost": pa.nulls(len(ids), pa.float64()), "label_source": ids, "name_hash": ids,
            "is_merchandise": [True] * len(ids),
        },
        "items": {
            "item_id": ids, "level": ["name"] * len(ids), "item_name": ids, "category": ids, "department": ids,
            "lines": pa.array(of.purchases, pa.int64()),
        },
        "embeddings": {
            "name_hash": ids, "product_name": ids, "embedding": pa.array(of.vectors.tolist(), strings),
            "model_digest": ["d"] * len(ids),
        },
    }  # fmt: skip
    for name, columns in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / name / "rows.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where two processes trained the model that is kept, then one for the evaluation."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "events").mkdir()
    write_inputs(folder / "in")
    tables = [
        f"tables.read.{name}={folder}/in/{name}" for name in ("lines", "products", "items", "embeddings")
    ]
    given = [*SETTINGS, *tables, f"tables.root={folder}/tables", "finetune.processes=2"]
    with standalone(tmp_path_factory.mktemp("cluster"), cores=1, memory="2g") as url:
        spark = (
            f"--master {url} --executor-memory 700m --conf spark.executor.memoryOverhead=1g --driver-memory 700m"
            f" --conf spark.driver.host=127.0.0.1 --conf spark.sql.shuffle.partitions=2"
            f" --conf spark.eventLog.enabled=true --conf spark.eventLog.compress=false --conf spark.eventLog.dir=file:{folder}/events"
        )
        sets = " ".join(f"--set '{assignment}'" for assignment in given)
        done = shell(folder, f"./submit.sh finetune {sets} -- {spark}", PYSPARK_PYTHON=sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_two_processes_train_what_one_does(folder):
    given = load_settings("local", SETTINGS, {})
    of, options = (
        shop(),
        training_options(given.finetune, given.embed, given.clean.abbreviations, ease_items=40),
    )
    heads = train_pairs(of.vectors, of.counts, of.purchases, options.pairs, seed=0, device="cpu")
    wanted = projections(heads, of.vectors)
    found = pd.read_parquet(folder / "tables" / "projections").sort_values("item_id")
    assert found.item_id.tolist() == [f"i{i:02d}" for i in range(48)]
    assert np.stack(found["query"]) == pytest.approx(wanted.queries, abs=1e-4)
    assert np.stack(found["key"]) == pytest.approx(wanted.keys, abs=1e-4)
    assert found.bias.to_numpy() == pytest.approx(wanted.bias, abs=1e-4)


def test_the_evaluation_is_whole(folder):
    found = pd.read_parquet(folder / "tables" / "evaluation")
    assert {"baskets.test", "pairs.test", "calibration.test"} <= set(found.task)
    assert {"counts + attention", "ease + attention + history"} <= set(found.method)
    assert not found.duplicated(["method", "task", "metric", "class"]).any()  # of one process alone


def test_both_workers_took_part(folder):
    figures = json.loads((folder / "tables" / "_manifests" / "finetune.json").read_text())["figures"]
    assert figures["processes"] == 2
    of_stages = [
        executors
        for path in (folder / "events").rglob("*")
        if path.is_file() and "appstatus" not in path.name
        for executors in executors_of_barriers([json.loads(line) for line in path.read_text().splitlines()])
    ]
    assert of_stages == [["0", "1"], ["0", "1"]]  # the model that is kept, and the evaluation


def executors_of_barriers(events: list[dict]) -> list[list[str]]:
    """Of each stage whose tasks need each other, where they ran; an executor runs on a worker of its own here."""
    stages = [
        event["Stage Info"]["Stage ID"]
        for event in events
        if event["Event"] == "SparkListenerStageCompleted"
        and any(rdd["Barrier"] for rdd in event["Stage Info"]["RDD Info"])
    ]
    ends = [event for event in events if event["Event"] == "SparkListenerTaskEnd"]
    return [
        sorted(end["Task Info"]["Executor ID"] for end in ends if end["Stage ID"] == stage)
        for stage in stages
    ]
