"""The device that a task computes on."""

import os
from typing import Any

from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import types as T

from basketlens.errors import InputError

_EXECUTOR_GPUS = "spark.executor.resource.gpu.amount"
_TASK_GPUS = "spark.task.resource.gpu.amount"


def task_device(wanted: str, *, setting: str) -> str:
    """Where this task computes: `cpu`, or `cuda:<n>` with the GPU that Spark gave it.

    Args:
        wanted: `auto` (the task's GPU, else the processor), `cpu`, or `cuda` (a GPU or nothing;
            the first one when Spark schedules none, as in local mode).
        setting: what `wanted` is the value of, for the message.

    Raises:
        InputError: a GPU is wanted or given, and torch finds none.
    """
    task = TaskContext.get()
    given = task.resources().get("gpu") if task else None
    if wanted == "cpu" or (wanted == "auto" and given is None):
        return "cpu"
    import torch

    address = given.addresses[0] if given else None
    if not torch.cuda.is_available():
        raise InputError(
            f"{setting} = '{wanted}', but torch finds no GPU in this task.\n"
            f"  Spark gave: {f'GPU {address}' if given else 'none'}; torch is {torch.__version__}\n"
            f'  Next: a torch built for CUDA and a driver on the executors, or --set {setting}="cpu"'
        )
    return f"cuda:{0 if address is None else _ordinal(address)}"


def _ordinal(address: str) -> int:
    """Torch's number of a GPU: torch counts only what `CUDA_VISIBLE_DEVICES` lists, Spark's scripts list them all."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    if address in visible:
        return visible.index(address)
    if not address.isdigit():
        raise InputError(
            f"Spark gave GPU '{address}', which is neither a number nor in CUDA_VISIBLE_DEVICES.\n"
            "  Next: a discovery script that prints the GPUs' indexes"
        )
    return int(address)


def map_on_device(df: DataFrame, run: Any, schema: T.StructType, *, wanted: str) -> DataFrame:
    """`df.mapInArrow(run, schema)` in tasks that have a GPU each, where executors have GPUs.

    Args:
        df: rows.
        run: of record batches to record batches.
        schema: of what it gives.
        wanted: as in `task_device`.
    """
    profile = _gpu_profile(df, wanted)
    return df.mapInArrow(run, schema, **({"profile": profile} if profile else {}))


def _gpu_profile(df: DataFrame, wanted: str) -> Any:
    """One GPU for each task of one stage; None where the whole job's conf says what its tasks get.

    Executors that have GPUs, in a job whose tasks do not ask for them, run every other stage on all their cores.
    Needs Spark 4.0, which takes a profile beside a function; before it, set `spark.task.resource.gpu.amount`.

    Args:
        df: of the session that will run the stage.
        wanted: as in `task_device`.
    """
    conf = df.sparkSession.conf
    has_gpus = float(conf.get(_EXECUTOR_GPUS, "0") or 0) >= 1
    if wanted == "cpu" or not has_gpus or conf.get(_TASK_GPUS, None) is not None:
        return None
    import pyspark
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    if int(pyspark.__version__.split(".")[0]) < 4:  # noqa: PLR2004
        raise InputError(
            f"Executors have GPUs, but tasks do not ask for them, and Spark {pyspark.__version__} knows no profile of one stage.\n"
            f"  Next: --conf {_TASK_GPUS}=1"
        )
    requests = TaskResourceRequests().cpus(1).resource("gpu", 1)
    return ResourceProfileBuilder().require(requests).build
