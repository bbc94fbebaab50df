"""Keys that queries attend to at once."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Shard(NamedTuple):
    """m consecutive keys of the catalogue; what is asked of all of them is computed once."""

    vectors: Tensor  # (m, d) float32
    groups: Tensor | None  # (m,) int64; None: no mask needs them
    first: int  # position of vectors[0] in the catalogue
    longest: float  # largest L2 norm

    @classmethod
    def of(cls, vectors: Tensor, *, first: int = 0, groups: Tensor | None = None) -> Self:
        """A shard of keys that start at position `first` of the catalogue."""
        return cls(vectors, groups, first, longest(vectors))


def longest(vectors: Tensor) -> float:
    """Largest L2 norm of the rows; 0 without rows."""
    return float(torch.linalg.vector_norm(vectors, dim=1).max()) if len(vectors) else 0.0
