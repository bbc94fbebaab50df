"""Weights of an encoder on their way from the task that trained it: safetensors, cut into parts that a cell holds."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from safetensors.torch import load, save
from torch import Tensor

from basketlens.errors import LimitError
from basketlens.finetune.fields import MOST_PARTS

_PART: Final = 32 << 20  # bytes


def check_size(model: Any) -> None:
    """Say before a training that its result would be too large.

    Raises:
        LimitError: it is.
    """
    size = sum(weight.numel() * weight.element_size() for weight in model.state_dict().values())
    if size > (MOST_PARTS - 1) * _PART:  # the last one is for the names
        raise LimitError(
            f"embed.model has weights of {size >> 20:,} MiB, and a trained encoder passes the driver.\n"
            f"  At most: {(MOST_PARTS - 1) * _PART >> 20} MiB\n  Next: a smaller embed.model, or --set finetune.scope=heads"
        )


def weight_parts(model: Any) -> Iterator[bytes]:
    """The weights in parts, in order, at most `MOST_PARTS` of them."""
    content = save({name: weight.cpu().contiguous() for name, weight in model.state_dict().items()})
    for start in range(0, len(content), _PART):
        yield content[start : start + _PART]


def weights_of(parts: Sequence[bytes]) -> dict[str, Tensor]:
    """What `weight_parts` cut."""
    return load(b"".join(parts))
