"""Scores that come from vectors: attention of items, attention of whole baskets, cosine."""

from typing import Final

import numpy as np
from scipy import sparse

from basketlens.evaluate.counting import inverse, weighted
from basketlens.evaluate.known import Floats
from basketlens.shopping import Projections

CELLS: Final = 1 << 23  # scores at once, 32 MiB: large enough for BLAS, small beside the counts


def attention(of: Projections, items: np.ndarray) -> Floats:
    """P(j | i) for some items over the catalogue without the item itself, (items, n); rows sum to 1."""
    scores = of.queries[items] @ of.keys.T
    scores += of.bias.astype(np.float32)
    scores[np.arange(len(items)), items] = -np.inf
    return softmax(scores)


def attended(of: Projections, held: sparse.csr_array) -> Floats:
    """Sum over what each query holds of its weight times the item's attention, (b, n).

    The attention of all items that are held is computed once, in blocks, whatever number of queries hold them.
    """
    total = np.zeros(held.shape, np.float32)
    items, by_item = np.unique(held.indices), held.tocsc()
    rows = max(1, CELLS // held.shape[1])
    for start in range(0, len(items), rows):
        block = items[start : start + rows]
        total += by_item[:, block].tocsr() @ attention(of, block)
    return total


def mean_query(of: Projections, held: sparse.csr_array) -> Floats:
    """Scores (b, n) of all items for the mean query of what each basket holds."""
    mean = weighted(held, np.ones(held.shape[1])) @ of.queries  # (b, w)
    mean *= inverse(np.diff(held.indptr))[:, None].astype(np.float32)
    return np.asarray(mean @ of.keys.T + of.bias.astype(np.float32))


def basket_attention(of: Projections, held: sparse.csr_array) -> Floats:
    """P(j | basket) over all items that the basket does not hold, (b, n)."""
    scores = mean_query(of, held)
    scores[np.repeat(np.arange(held.shape[0]), np.diff(held.indptr)), held.indices] = -np.inf
    return softmax(scores)


def softmax(scores: Floats) -> Floats:
    """Softmax of each row, in place; -inf becomes 0."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores
