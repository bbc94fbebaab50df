"""EASE: what a basket lacks, by one linear model of all items on all others, in closed form."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import lapack

from basketlens.errors import InputError

_BYTES_PER_CELL: Final = 8 + 4  # the Gram matrix, inverted where it lies, and the weights beside it


class EaseOptions(NamedTuple):
    """How large the model is and how strongly it is held back."""

    max_items: int  # most purchased items that it knows, >= 2
    ridge: float  # baskets added to each item's purchases on the diagonal, > 0


class Ease(NamedTuple):
    """Weights of m items of the catalogue; the score of item j for a basket is the sum of weights[i, j] over its items i."""

    items: npt.NDArray[np.int64]  # (m,) numbers of the items, ascending
    weights: npt.NDArray[np.float32]  # (m, m), >= 0; nothing on the diagonal


def memory_bytes(items: int, options: EaseOptions) -> int:
    """Bytes that `fit_ease` needs at its peak for a catalogue of `items`, the counts themselves apart."""
    return _BYTES_PER_CELL * min(items, options.max_items) ** 2


def fit_ease(counts: sparse.csr_array, purchases: npt.NDArray[np.int64], options: EaseOptions) -> Ease:
    """Solve EASE for the most purchased items, from the Gram matrix alone.

    B = -P / diag(P) by columns, P the inverse of the Gram matrix with the ridge on its diagonal.  Negative weights
    are cut to 0: they say what is bought instead, which hurts when scores are added to other evidence.

    Args:
        counts: (n, n) baskets that hold both items, symmetric.
        purchases: (n,) baskets that hold each item, the diagonal that `counts` leaves out.
        options: size and ridge.

    Raises:
        InputError: fewer than two items were ever sold, or the matrix cannot be solved with this ridge.

    Source: Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8.
    """
    by_sales = np.argsort(-purchases, kind="stable")  # ties: the lower number
    items = np.sort(by_sales[: min(options.max_items, int((purchases > 0).sum()))])
    if len(items) < 2:  # noqa: PLR2004 - one item has no other
        raise InputError(
            f"EASE needs items bought together; {len(items)} of {len(purchases):,} items were ever sold.\n"
            "  Look at the training window: it may be too short."
        )
    gram = counts[items][:, items].toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] = purchases[items] + options.ridge
    # A symmetric matrix is its own transpose: .T is in Fortran's order, so LAPACK works where it lies.
    factor, failed = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
    inverse, singular = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise InputError(
            f"The Gram matrix of {len(items):,} items cannot be inverted with a ridge of {options.ridge:g}.\n"
            "  Raise ease.ridge; 50 baskets is usual."
        )
    weights = inverse.T.astype(np.float32, order="C")  # what LAPACK filled is the upper triangle here
    for i in range(len(items)):
        weights[i + 1 :, i] = weights[i, i + 1 :]
    weights /= -weights.diagonal()
    np.fill_diagonal(weights, 0)
    np.maximum(weights, 0, out=weights)
    return Ease(items, weights)


def ease_scores(held: sparse.csr_array, model: Ease) -> npt.NDArray[np.float32]:
    """Scores (b, n) of all items for baskets (b, n); 0 for items that the model does not know."""
    scores = np.zeros(held.shape, np.float32)
    scores[:, model.items] = held[:, model.items] @ model.weights
    return scores
