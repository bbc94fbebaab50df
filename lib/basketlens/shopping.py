"""Items and baskets in the memory of one process: what training and evaluation compute on; no Spark, no torch."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse


class Items(NamedTuple):
    """n items; an item's number is its place here."""

    ids: npt.NDArray[np.object_]  # (n,) str, ascending
    vectors: npt.NDArray[np.float32]  # (n, d), embeddings of their names
    names: npt.NDArray[np.object_]  # (n,) str


class Baskets(NamedTuple):
    """b baskets of n items, in order of their days, then ids."""

    held: sparse.csr_array  # (b, n) float32, 1 = the basket holds the item, which an item's number says
    customers: npt.NDArray[np.int64]  # (b,) number of the customer, -1 = not known
    days: npt.NDArray[np.int32]  # (b,) days since 1970-01-01


class Projections(NamedTuple):
    """Trained attention: the score of item j for item i is queries[i] . keys[j] + bias[j]; a scale is in the queries."""

    queries: npt.NDArray[np.float32]  # (n, w)
    keys: npt.NDArray[np.float32]  # (n, w)
    bias: npt.NDArray[np.float64]  # (n,)


def purchases_of(baskets: Baskets) -> npt.NDArray[np.int64]:
    """Baskets that hold each item (n,)."""
    return np.bincount(baskets.held.indices, minlength=baskets.held.shape[1]).astype(np.int64)


def copurchases(baskets: Baskets) -> sparse.csr_array:
    """Baskets that hold both items (n, n) float32, exact below 2^24, symmetric; nothing on the diagonal."""
    counts = sparse.csr_array(baskets.held.T @ baskets.held)
    counts.setdiag(0)
    counts.eliminate_zeros()
    counts.sort_indices()
    return counts
