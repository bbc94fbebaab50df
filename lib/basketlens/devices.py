"""The device that a task computes on."""

from pyspark import TaskContext

from basketlens.errors import InputError


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

    address = given.addresses[0] if given else "0"
    if not torch.cuda.is_available():
        raise InputError(
            f"{setting} = '{wanted}', but torch finds no GPU in this task.\n"
            f"  Spark gave: {'GPU ' + address if given else 'none'}; torch is {torch.__version__}\n"
            f'  Next: a torch built for CUDA and a driver on the executors, or --set {setting}="cpu"'
        )
    return f"cuda:{address}"
