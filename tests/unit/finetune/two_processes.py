"""What each of two processes does in test_ranks: trainings of the small shop, in a group that meets at a file."""

import json
import os
import signal
from pathlib import Path

import torch.distributed as dist
from safetensors.torch import save_file

from basketlens.errors import SettingsError
from basketlens.finetune.basket_training import train_baskets
from basketlens.finetune.checkpoint import Checkpoint
from basketlens.finetune.fields import Task
from basketlens.finetune.pair_training import train_pairs
from basketlens.finetune.process import train_task
from basketlens.finetune.ranks import ALONE, Ranks

from .shop import BASKETS, PAIRS, shop

IDENTITY = {"seed": 0}
STEPS, SAVED, KILLED = 30, 10, 15


def fitted(kind: str, *, ranks: Ranks = ALONE, state: Path | None = None, on_step=None):
    """Heads of a training, and its curve."""
    of, curve = shop(), []

    def told(progress):
        curve.append(list(progress))
        if on_step:
            on_step(progress)

    fit, options, data = {
        "pairs": (train_pairs, PAIRS, (of.vectors, of.counts, of.purchases)),
        "baskets": (train_baskets, BASKETS, (of.vectors, of.baskets.held, of.purchases)),
    }[kind]
    heads = fit(
        *data,
        options._replace(schedule=options.schedule._replace(steps=STEPS, check_every=5)),
        seed=0,
        device="cpu",
        held_out=data[1],
        checkpoint=Checkpoint(state, IDENTITY, every=SAVED) if state else None,
        on_step=told,
        ranks=ranks,
    )
    return heads, curve


def train(rank: int, folder: Path) -> None:
    """Both trainings to their ends; then one of which process 1 is killed."""
    ranks = _meet(rank, folder / "first")
    for kind in ("pairs", "baskets"):
        _keep(folder / f"{kind}-{rank}", *fitted(kind, ranks=ranks, state=folder / f"{kind}-state-{rank}"))

    def stop(progress):
        if rank == 1 and progress.step == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)

    fitted("pairs", ranks=ranks, state=folder / "killed", on_step=stop)


def resume(rank: int, folder: Path) -> None:
    """Go on with the training that was killed, and refuse to go on from states that differ."""
    ranks = _meet(rank, folder / "second")
    _keep(folder / f"resumed-{rank}", *fitted("pairs", ranks=ranks, state=folder / "resumed"))
    try:
        fitted("pairs", ranks=ranks, state=folder / ("resumed" if rank else "nothing"))
    except SettingsError as error:
        (folder / f"refused-{rank}").write_text(str(error))
    dist.destroy_process_group()


def _meet(rank: int, at: Path) -> Ranks:
    dist.init_process_group("gloo", init_method=f"file://{at}", rank=rank, world_size=2)
    return Ranks(rank, 2)


def _keep(path: Path, heads, curve) -> None:
    save_file({name: value.contiguous() for name, value in heads.state_dict().items()}, f"{path}.safetensors")
    Path(f"{path}.json").write_text(json.dumps(curve))


def blind(rank: int, folder: Path) -> None:
    """As torch's launcher starts them; one does not see the rows."""
    port = (folder / "port").read_text()
    os.environ |= {"RANK": f"{rank}", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    rows = folder if rank == 0 else folder / "elsewhere"
    try:
        train_task(str(rows), str(folder / "out"), Task(False, 0), None, is_gpu=False)
    except SettingsError as error:
        (folder / f"blind-{rank}").write_text(str(error))
