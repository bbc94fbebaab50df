"""A training by several processes: where each of them runs, and what it is told."""

import sys
import time
from collections.abc import Callable
from typing import Any, Final

from pyspark.sql import DataFrame

from basketlens import errors
from basketlens.errors import SettingsError
from basketlens.finetune.fields import Task
from basketlens.locations import local_path
from basketlens.settings import Settings

_TASK_GPUS: Final = "spark.task.resource.gpu.amount"
_COME_AND_GO: Final = "spark.dynamicAllocation.enabled"


def train_together(rows: DataFrame, folder: str, target: str, task: Task, settings: Settings) -> None:
    """Train by `finetune.processes` processes, in a Spark task each, all of which run at once (a barrier stage).

    Args:
        rows: what is in `folder`; its session runs the tasks.
        folder: Parquet that every process reads.
        target: where the first one puts its result, in one Parquet file.
        task: what to train.
        settings: of the run.

    Raises:
        SettingsError: a GPU is wanted, and Spark gives tasks none; or executors come and go.
        BasketLensError: what the first process says.
    """
    from pyspark.ml.torch.distributor import TorchDistributor

    finetune, conf = settings.finetune, rows.sparkSession.conf
    if conf.get(_COME_AND_GO, "false") == "true":
        raise SettingsError(
            f"finetune.processes = {finetune.processes}, and {_COME_AND_GO} is true: Spark starts no tasks that need each other then.\n"
            f"  Next: --conf {_COME_AND_GO}=false behind --, or --set finetune.processes=1"
        )
    given = conf.get(_TASK_GPUS, None)
    if finetune.device == "cuda" and given is None:
        raise SettingsError(
            f"finetune.device = 'cuda' and finetune.processes = {finetune.processes}, but Spark gives its tasks no GPU.\n"
            f"  Next: --conf {_TASK_GPUS}=1 behind --"
        )
    is_gpu = finetune.device == "cuda" or (finetune.device == "auto" and given is not None)
    distributor = TorchDistributor(num_processes=finetune.processes, local_mode=False, use_gpu=is_gpu)
    said = distributor.run(
        _process(), _ModulePath(), shared_path(folder), shared_path(target), tuple(task),
        (finetune.model_dump_json(), settings.embed.model_dump_json()), dict(settings.clean.abbreviations), settings.ease.max_items, is_gpu,
    )  # fmt: skip
    if said:
        kind, message = said
        raise getattr(errors, kind)(message)


def wait_for_slots(processes: int, slots: Callable[[], int], *, seconds: int) -> None:
    """Return once all processes can run at once: executors register one after another.

    Raises:
        SettingsError: there are too few after this time.  Spark itself would ask for 10 minutes.
    """
    end = time.monotonic() + seconds
    while (found := slots()) < processes:
        if time.monotonic() > end:
            raise SettingsError(
                f"finetune.processes = {processes}, but executors have room for {found} tasks at once: processes of one training need each other.\n"
                f"  Next: --set finetune.processes={max(found, 1)}, or more executors or cores (with GPUs: more GPUs)"
            )
        time.sleep(0.5)


def shared_path(location: str) -> str:
    """A folder of `tables.root` as a path that processes without Spark open.

    Raises:
        SettingsError: it is no path of a file system.
    """
    path = local_path(location)
    if path is None:
        raise SettingsError(
            f"finetune.processes above 1 needs a tables.root that is a path, found {location}\n"
            "  Wanted: a folder that driver and executors see under one path, such as /dbfs/..., /Volumes/... or a network disk\n"
            "  Next: another tables.root, or --set finetune.processes=1"
        )
    return str(path.absolute())


class _ModulePath:
    """Becomes, when Spark hands it to a task, the list of places that the task finds modules in.

    The process that torch starts beside the task has none of what `--py-files` added.
    """

    def __reduce__(self) -> tuple[Callable[[], list[str]], tuple[()]]:
        return _module_path, ()


def _module_path() -> list[str]:
    return list(sys.path)


def _process() -> Callable[..., Any]:
    """What runs in the process: a function without a home, because no module of ours can be imported before `path` is known.

    It gives back an error that the user should read as its class and message: of one that is raised, Spark tells only that
    there was one, and starts all processes again.
    """

    def process(
        path: list[str],
        folder: str,
        target: str,
        task: tuple[Any, ...],
        settings: tuple[str, str],
        abbreviations: dict[str, str],
        ease_items: int,
        is_gpu: bool,
    ) -> Any:
        import sys

        sys.path.extend(place for place in path if place not in sys.path)
        from basketlens.errors import BasketLensError
        from basketlens.finetune.fields import Task
        from basketlens.finetune.options import training_options
        from basketlens.finetune.process import train_task
        from basketlens.settings import EmbedSettings
        from basketlens.settings_finetune import FinetuneSettings

        finetune, embed = settings
        options = training_options(
            FinetuneSettings.model_validate_json(finetune),
            EmbedSettings.model_validate_json(embed),
            abbreviations,
            ease_items=ease_items,
        )
        try:
            train_task(folder, target, Task(*task), options, is_gpu=is_gpu)
        except BasketLensError as error:
            return type(error).__name__, str(error)

    return process
