"""GPUs are given to tasks by Spark: a cluster whose workers say that they have two each."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyspark
import pytest

from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.locations import resolve
from tests.cluster import gpu_tasks
from tests.cluster.shell import ROOT, SHORT_LIVED_JAVA
from tests.cluster.standalone import SPARK_CLASS, standalone

pytestmark = pytest.mark.timeout(300)
IS_STAGE_LEVEL = int(pyspark.__version__.split(".")[0]) >= 4  # before, every stage's tasks get what conf says


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> pd.DataFrame:
    """What 24 tasks saw: a row for each name."""
    folder = tmp_path_factory.mktemp("gpus")
    script = folder / "discover.sh"
    script.write_text('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["0", "1"]}\'\n')
    script.chmod(0o755)
    resource = "spark.worker.resource.gpu"
    options = f"-D{resource}.amount=2 -D{resource}.discoveryScript={script}"
    with standalone(folder, cores=2, memory="1g", options=options) as url:
        confs = {
            "spark.executor.memory": "600m", "spark.executor.cores": "2", "spark.executor.resource.gpu.amount": "2",
            "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
            **({} if IS_STAGE_LEVEL else {"spark.task.resource.gpu.amount": "1"}),
        }  # fmt: skip
        done = subprocess.run(
            [str(SPARK_CLASS.with_name("spark-submit")), "--master", url, *[x for k, v in confs.items() for x in ("--conf", f"{k}={v}")],
             gpu_tasks.__file__, str(folder)],
            env={**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": f"{ROOT}/lib", "SPARK_LOCAL_IP": "127.0.0.1",
                 "JAVA_TOOL_OPTIONS": SHORT_LIVED_JAVA},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return pd.read_parquet(folder / "tasks")


def test_tasks_that_run_at_once_have_a_gpu_each(tasks):
    each = (
        tasks.groupby(["executor", "task", "device"])
        .agg(began=("began", "min"), ended=("ended", "max"))
        .reset_index()
    )
    assert each.executor.nunique() == 2
    assert set(each.device) == {"cuda:0", "cuda:1"}
    together = [
        (one, other)
        for _, group in each.groupby("executor")
        for one in group.itertuples()
        for other in group.itertuples()
        if one.task < other.task and one.began < other.ended and other.began < one.ended
    ]
    assert len(together) > 4
    assert all(one.device != other.device for one, other in together)


def test_a_python_worker_loads_the_model_once(tasks):
    per_task = tasks.groupby(["executor", "worker", "task"]).loads.max().reset_index()
    per_worker = per_task.groupby(["executor", "worker"]).agg(
        loads=("loads", "sum"), tasks=("task", "nunique")
    )
    assert set(per_worker.loads) == {1}
    assert per_worker.tasks.max() > 1


def test_vectors_are_those_of_this_process(tasks):
    encoder = Encoder.load(Path(resolve(gpu_tasks.MODEL)), EncoderOptions(), device="cpu")
    tasks = tasks.sort_values("name")
    assert len(tasks) == 240
    assert np.stack(tasks.vector) == pytest.approx(encoder.probe(tasks.name.tolist()), abs=5e-6)
