"""Small random shops."""

import numpy as np
from scipy import sparse

from basketlens.shopping import Baskets, Items, Projections


def baskets_of(*held: set[int], items: int, customers=None, days=None) -> Baskets:
    """Literal baskets, one a set of item numbers."""
    table = np.zeros((len(held), items), np.float32)
    for row, basket in enumerate(held):
        table[row, list(basket)] = 1
    return Baskets(
        sparse.csr_array(table),
        np.array(customers if customers is not None else [-1] * len(held), np.int64),
        np.array(days if days is not None else range(len(held)), np.int32),
    )


def shop(seed: int, *, items: int = 60, baskets: int = 1500, customers: int = 40) -> tuple[Items, Baskets]:
    """Baskets over 100 days in which the halves of couples (2i, 2i + 1) come together."""
    draw = np.random.default_rng(seed)
    held = draw.random((baskets, items)) < draw.beta(1, 15, items)
    held[:, 1::2] |= held[:, 0::2] & (draw.random((baskets, items // 2)) < 0.5)
    held[~held.any(axis=1), 0] = True
    of = Baskets(
        sparse.csr_array(held.astype(np.float32)),
        draw.integers(-1, customers, baskets),
        np.sort(draw.integers(0, 100, baskets)).astype(np.int32),
    )
    ids = np.array([f"item {i:03d}" for i in range(items)], dtype=object)
    return Items(ids, draw.standard_normal((items, 8)).astype(np.float32), ids), of


def projections(seed: int, items: int, width: int = 5) -> Projections:
    draw = np.random.default_rng(seed)
    return Projections(
        draw.standard_normal((items, width)).astype(np.float32),
        draw.standard_normal((items, width)).astype(np.float32),
        draw.standard_normal(items),
    )


def dense_attention(of: Projections) -> np.ndarray:
    """P(j | i) over the catalogue without i, (n, n) float64, entry by entry."""
    n = len(of.bias)
    p = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            p[i, j] = np.exp(float(of.queries[i] @ of.keys[j]) + of.bias[j]) if i != j else 0
    return p / p.sum(axis=1, keepdims=True)
