"""The model that stays in a Python worker, and the device it stays on."""

from functools import lru_cache
from typing import TYPE_CHECKING

from pyspark import TaskContext

from basketlens.embed.model_files import model_digest
from basketlens.errors import InputError

if TYPE_CHECKING:
    from basketlens.embed.bert import BertEncoder


@lru_cache(maxsize=1)
def encoder_for(location: str, digest: str, max_tokens: int, device: str) -> "BertEncoder":
    """Load on the first call in this Python worker; later tasks get the same object.

    Raises:
        InputError: the folder is not on this machine, or holds another model than the driver's.
    """
    found = model_digest(location, max_tokens=max_tokens)
    if found != digest:
        raise InputError(
            f"embed.model = '{location}' differs between machines.\n"
            f"  Driver: {digest[:16]}...  this executor: {found[:16]}...\n  Next: put the same files on every machine"
        )
    from basketlens.embed.bert import BertEncoder  # torch lives on executors only

    return BertEncoder.load(location, max_tokens=max_tokens, device=device)


def task_device(wanted: str) -> str:
    """Where this task computes: `cpu`, or `cuda:<n>` with the GPU that Spark gave it.

    Args:
        wanted: `auto` (the task's GPU, else the processor), `cpu`, or `cuda` (a GPU or nothing;
            the first one when Spark schedules none, as in local mode).

    Raises:
        InputError: a GPU is wanted or given, and torch finds none.
    """
    task = TaskContext.get()
    given = task.resources().get("gpu") if task else None
    if wanted == "cpu" or (wanted == "auto" and given is None):
        return "cpu"
    import torch

    address = given.addresses[0] if given else "0"
    if not torch.cuda.is_available():
        raise InputError(
            f"embed.device = '{wanted}', but torch finds no GPU in this task.\n"
            f"  Spark gave: {'GPU ' + address if given else 'none'}; torch is {torch.__version__}\n"
            '  Next: a torch built for CUDA and a driver on the executors, or --set embed.device="cpu"'
        )
    return f"cuda:{address}"
