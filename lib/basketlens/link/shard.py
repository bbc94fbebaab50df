"""Keys that queries attend to at once."""

from typing import Final, NamedTuple, Self

import torch
from torch import Tensor

_AT_ONCE: Final = 4096  # vectors


class Shard(NamedTuple):
    """m consecutive keys of the catalogue; what is asked of all of them is computed once."""

    vectors: Tensor  # (m, d) float32
    bias: Tensor | None  # (m,) float64, added to every score of the key
    groups: Tensor | None  # (m,) int64; None: no mask needs them
    values: Tensor | None  # (m, w) float32, of which contexts are the mean; None: no contexts are wanted
    first: int  # position of vectors[0] in the catalogue
    longest: float  # largest L2 norm
    steepest: float  # largest |bias|
    halves: Tensor | None  # (m, d) bfloat16; None: scores are wanted in float32
    residual: float  # largest L2 norm of what bfloat16 cuts off

    @classmethod
    def of(
        cls,
        vectors: Tensor,
        *,
        first: int = 0,
        bias: Tensor | None = None,
        groups: Tensor | None = None,
        values: Tensor | None = None,
        is_half: bool = False,
    ) -> Self:
        """A shard of keys that start at position `first` of the catalogue."""
        steepest = float(bias.abs().max()) if bias is not None and len(bias) else 0.0
        halves, residual = halved(vectors) if is_half else (None, 0.0)
        return cls(vectors, bias, groups, values, first, longest(vectors), steepest, halves, residual)


def longest(vectors: Tensor) -> float:
    """Largest L2 norm of the rows; 0 without rows."""
    return float(torch.linalg.vector_norm(vectors, dim=1).max()) if len(vectors) else 0.0


def halved(vectors: Tensor) -> tuple[Tensor, float]:
    """The vectors in bfloat16, and the largest L2 norm of what that cuts off, which float32 holds exactly."""
    halves = vectors.bfloat16()
    parts = (slice(i, i + _AT_ONCE) for i in range(0, len(vectors), _AT_ONCE))
    return halves, max((longest(vectors[part] - halves[part].float()) for part in parts), default=0.0)
