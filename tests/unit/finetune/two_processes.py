"""What each of two processes does in test_ranks: trainings of the small shop, in a group that meets at a file."""

import json
import os
import signal
from pathlib import Path

import torch.distributed as dist
from safetensors.torch import save_file

from basketlens.finetune.basket_training import train_baskets
from basketlens.finetune.checkpoint import Checkpoint
from basketlens.finetune.pair_training import train_pairs
from basketlens.finetune.ranks import ALONE, Ranks

from .shop import BASKETS, PAIRS, shop

IDENTITY = {"seed": 0}


def fitted(kind: str, *, ranks: Ranks = ALONE, state: Path | None = None, on_step=None, patience: int = 6):
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
        options._replace(schedule=options.schedule._replace(patience=patience)),
        seed=0,
        device="cpu",
        held_out=data[1],
        checkpoint=Checkpoint(state, IDENTITY, every=10) if state else None,
        on_step=told,
        ranks=ranks,
    )
    return heads, curve


def train(rank: int, folder: Path) -> None:
    """Both trainings to their ends; then one of which process 1 is killed in step 25, with a state of step 20."""
    ranks = _meet(rank, folder / "first")
    for kind in ("pairs", "baskets"):
        _keep(folder / f"{kind}-{rank}", *fitted(kind, ranks=ranks, state=folder / f"{kind}-state-{rank}"))

    def stop(progress):
        if rank == 1 and progress.step == 25:
            os.kill(os.getpid(), signal.SIGKILL)

    fitted("pairs", ranks=ranks, state=folder / "killed", on_step=stop)


def resume(rank: int, folder: Path) -> None:
    """Go on with the training that was killed, and refuse to go on from states that differ."""
    ranks = _meet(rank, folder / "second")
    _keep(folder / f"resumed-{rank}", *fitted("pairs", ranks=ranks, state=folder / "resumed"))
    try:
        fitted("pairs", ranks=ranks, state=folder / ("resumed" if rank else "nothing"))
    except Exception as error:
        (folder / f"refused-{rank}").write_text(f"{type(error).__name__}: {error}")
    dist.destroy_process_group()


def _meet(rank: int, at: Path) -> Ranks:
    dist.init_process_group("gloo", init_method=f"file://{at}", rank=rank, world_size=2)
    return Ranks(rank, 2)


def _keep(path: Path, heads, curve) -> None:
    save_file({name: value.contiguous() for name, value in heads.state_dict().items()}, f"{path}.safetensors")
    Path(f"{path}.json").write_text(json.dumps(curve))
