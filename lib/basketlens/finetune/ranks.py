"""The processes that train one model together, as one of them sees them."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from basketlens.errors import SettingsError

Model = TypeVar("Model", bound=nn.Module)


class Ranks(NamedTuple):
    """Process `rank` of `size`, which take the same steps, each on its part of a step's rows.

    All of them draw the same chance, so that they know what the others do without asking, and take together the very
    steps that one process takes alone.  Only gradients, one loss a step and a few numbers are sent.  With more than one,
    torch's process group must have been started.
    """

    rank: int  # 0..size-1
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes what is kept."""
        return self.rank == 0

    def part(self, rows: int) -> slice:
        """This process's part of `rows` rows; the parts differ by one row at most.

        Raises:
            SettingsError: there are fewer rows than processes.
        """
        if rows < self.size:
            raise SettingsError(
                f"finetune.processes = {self.size}, but a step has {rows} rows: some processes would have none.\n"
                f"  Next: finetune.processes of at most {rows}, or more rows a step (finetune.pairs.rows, finetune.baskets.rows)"
            )
        return slice(rows * self.rank // self.size, rows * (self.rank + 1) // self.size)

    def share(self, weights: npt.NDArray[np.float32]) -> float:
        """What to multiply the weighted mean over this process's part by, so that the processes' mean is that over all rows.

        Args:
            weights: (r,) of all rows.
        """
        whole, own = (
            float(part.sum(dtype=np.float64)) for part in (weights, weights[self.part(len(weights))])
        )
        return self.size * own / whole

    def taking(
        self, model: Model, step_loss: Callable[[Model, np.random.Generator], Tensor]
    ) -> Callable[[np.random.Generator], Tensor]:
        """`step_loss` of the model; gradients of what it gives are the mean of all processes'.

        The model itself is not wrapped, so that its state keeps its names.
        """
        step = _Step(model, step_loss)
        return step if self.size == 1 else DistributedDataParallel(step)

    def as_first(self, model: Model) -> Model:
        """The model with the first process's weights and buffers: another machine may round otherwise, or turn an eigenvector."""
        if self.size > 1:
            for value in model.state_dict().values():
                dist.broadcast(value, src=0)
        return model

    def mean(self, value: Tensor) -> Tensor:
        """The mean of all processes' values, the same in each of them."""
        if self.size == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def of_first(self, value: float) -> float:
        """The first process's value, in all of them: what is decided by it is decided alike."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=_device())
        dist.broadcast(told, src=0)
        return float(told)

    def everyones(self, number: int) -> list[int]:
        """Each process's number, by rank."""
        if self.size == 1:
            return [number]
        own = torch.tensor([number], device=_device())
        told = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(told, own)
        return [int(one) for one in told]


ALONE: Final = Ranks(0, 1)


class _Step(nn.Module):
    """A step's loss as a module's output, as `DistributedDataParallel` asks for it; without buffers, which it would send at every step."""

    def __init__(self, model: Model, loss: Callable[[Model, np.random.Generator], Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(model.parameters())
        self.loss = partial(loss, model)

    def forward(self, draw: np.random.Generator) -> Tensor:
        return self.loss(draw)


def _device() -> str:
    """Where a process group's tensors must lie."""
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
