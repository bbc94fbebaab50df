"""Keys that queries attend to at once."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Shard(NamedTuple):
    """m consecutive keys of the catalogue; what is asked of all of them is computed once."""

    vectors: Tensor  # (m, d) float32
    bias: Tensor | None  # (m,) float64, added to every score of the key
    groups: Tensor | None  # (m,) int64; None: no mask needs them
    first: int  # position of vectors[0] in the catalogue
    longest: float  # largest L2 norm
    steepest: float  # largest |bias|

    @classmethod
    def of(
        cls, vectors: Tensor, *, first: int = 0, bias: Tensor | None = None, groups: Tensor | None = None
    ) -> Self:
        """A shard of keys that start at position `first` of the catalogue."""
        steepest = float(bias.abs().max()) if bias is not None and len(bias) else 0.0
        return cls(vectors, bias, groups, first, longest(vectors), steepest)


def longest(vectors: Tensor) -> float:
    """Largest L2 norm of the rows; 0 without rows."""
    return float(torch.linalg.vector_norm(vectors, dim=1).max()) if len(vectors) else 0.0
