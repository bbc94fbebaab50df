"""One of the processes of a training: rows from files, result to a file, gradients between processes."""

import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.distributed as dist

from basketlens.errors import SettingsError
from basketlens.finetune.fields import Task
from basketlens.finetune.ranks import Ranks
from basketlens.finetune.training import PAGES, TrainingOptions, training_pages

# Longer than any step, saving or look at held-out loss; a process that is gone is noticed at once, one that hangs after this.
_PATIENCE: Final = timedelta(minutes=30)


def train_task(rows: str, target: str, task: Task, options: TrainingOptions, *, is_gpu: bool) -> None:
    """Do this process's part of a training; the first process writes what comes out.

    Torch's launcher has set RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT and LOCAL_RANK.

    Args:
        rows: folder of the Parquet files that `shopping_rows.task_rows` fills.
        target: folder for the result, in the same form as a task of one process gives it.
        task: what to train.
        options: how.
        is_gpu: on the GPU that Spark gave, by NCCL; else on the processor, by Gloo.

    Raises:
        SettingsError: not all processes see the rows, or there are more processes than rows of a step.
        InputError: as `training_pages`.
    """
    device = f"cuda:{os.environ['LOCAL_RANK']}" if is_gpu else "cpu"
    if is_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if is_gpu else "gloo", timeout=_PATIENCE)
    try:
        ranks = Ranks(dist.get_rank(), dist.get_world_size())
        pages = training_pages(_batches(Path(rows), ranks), task, options, device=device, ranks=ranks)
        if ranks.is_first:
            _write(pages, Path(target))
        elif list(pages):
            raise AssertionError("a process that helps gave rows")
    finally:
        dist.destroy_process_group()


def _batches(folder: Path, ranks: Ranks) -> Iterator[pa.RecordBatch]:
    paths = sorted(folder.glob("*.parquet"))
    blind = ranks.everyones(len(paths)).count(0)
    if blind:  # known to all, so that all stop and none waits
        raise SettingsError(
            f"finetune.processes = {ranks.size}, but {blind} of these processes do not see the rows to train on.\n"
            f"  Folder: {folder}\n"
            "  Next: tables.root on a file system that driver and executors share, or --set finetune.processes=1"
        )
    for path in paths:
        yield from pq.ParquetFile(path).iter_batches()


def _write(pages: Iterable[pa.RecordBatch], target: Path) -> None:
    """One file, there only when it is whole: of an attempt that was killed nothing is read."""
    target.mkdir(parents=True, exist_ok=True)
    draft = target / ".draft"
    with pq.ParquetWriter(draft, PAGES) as writer:
        for page in pages:
            writer.write_batch(page)
    draft.rename(target / "rows.parquet")
