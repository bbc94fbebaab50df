"""EASE: what a basket lacks, by one linear model of all items on all others, in closed form."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import lapack

from basketlens.errors import InputError, LimitError

WEIGHT_UNIT: Final = 1024  # of `basket_weights`, in one basket
_BYTES_PER_CELL: Final = 8 + 4  # the Gram matrix, inverted where it lies, and the weights beside it
_BYTES_READ: Final = 12  # half the matrix as rows of `copurchases`, twice while they are read


class Ease(NamedTuple):
    """Weights of m items of the catalogue; the score of item j for a basket is the sum of weights[i, j] over its items i."""

    items: npt.NDArray[np.int64]  # (m,) numbers of the items, ascending
    weights: npt.NDArray[np.float32]  # (m, m), >= 0; nothing on the diagonal


def require_memory(items: int, *, limit: int) -> None:
    """Refuse to solve EASE for so many items before anything is allocated.

    Args:
        items: of the model.
        limit: bytes that solving may take.

    Raises:
        LimitError: it would take more.
    """
    per_cell = _BYTES_PER_CELL + _BYTES_READ
    needed = per_cell * items**2
    if needed > limit:
        raise LimitError(
            f"EASE of {items:,} items needs {needed / 2**20:,.0f} MiB on the driver, and ease.memory_mib allows"
            f" {limit / 2**20:,.0f}.\n"
            f"  Next: --set ease.max_items={int((limit / per_cell) ** 0.5)} or fewer, or raise ease.memory_mib"
        )


class Gram(NamedTuple):
    """What EASE is solved from: sums over baskets, each weighted by `basket_weights`."""

    items: npt.NDArray[np.int64]  # (m,) numbers of the items, ascending
    matrix: npt.NDArray[
        np.float64
    ]  # (m, m) weight of the baskets that hold both; of those that hold the item on the diagonal


def basket_weights(sizes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """What a basket of so many items counts for, 1 / sqrt(size) in 1,024ths.

    A basket of s items makes s^2 pairs: unweighted, the few largest baskets decide what goes with what.  Whole
    numbers add up to the same sum in any order.
    """
    return np.asarray(np.rint(WEIGHT_UNIT / np.sqrt(np.maximum(sizes, 1))), np.int64)


def gram_of(held: sparse.csr_array, *, max_items: int) -> Gram:
    """The Gram matrix of the most purchased items; ties go to the lower number.

    Args:
        held: (b, n) baskets, 1 = holds the item.
        max_items: most items that the model knows, 2 or more; see `require_memory`.

    Raises:
        InputError: fewer than two items were ever sold.
    """
    purchases = np.bincount(held.indices, minlength=held.shape[1])
    by_sales = np.argsort(-purchases, kind="stable")
    items = np.sort(by_sales[: min(max_items, int((purchases > 0).sum()))])
    if len(items) < 2:  # noqa: PLR2004 - one item has no other
        raise InputError(
            f"EASE needs items bought together; {len(items)} of {len(purchases):,} items were ever sold.\n"
            "  Look at the training window: it may be too short."
        )
    chosen = sparse.csr_array(held[:, items]).astype(np.float64)  # exact: whole numbers far below 2^53
    weights = sparse.diags_array(basket_weights(np.diff(held.indptr)).astype(np.float64))
    matrix = sparse.csr_array(chosen.T @ (weights @ chosen)).toarray()
    matrix /= WEIGHT_UNIT
    return Gram(items, matrix)


def fit_ease(gram: Gram, *, ridge: float) -> Ease:
    """The weights, by `solve_ease`; the matrix is left as it is."""
    return Ease(gram.items, solve_ease(gram.matrix.copy(), ridge=ridge))


def solve_ease(gram: npt.NDArray[np.float64], *, ridge: float) -> npt.NDArray[np.float32]:
    """Weights (m, m) from the Gram matrix, which is overwritten: the one large step, by Cholesky.

    B = -P / diag(P) by columns, P the inverse of the Gram matrix with the ridge on its diagonal.  Negative weights
    are cut to 0: they say what is bought instead, which hurts when scores are added to other evidence.

    Args:
        gram: (m, m), rows lie one after another.
        ridge: weight of baskets added on the diagonal, > 0.

    Raises:
        InputError: the matrix cannot be solved with this ridge.

    Source: Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8.
    """
    gram[np.diag_indices_from(gram)] += ridge
    # A symmetric matrix is its own transpose: .T is in Fortran's order, so LAPACK works where it lies.
    factor, failed = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
    inverse, singular = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise InputError(
            f"The Gram matrix of {len(gram):,} items cannot be inverted with a ridge of {ridge:g}.\n"
            "  Raise ease.ridge; 6 baskets is usual."
        )
    weights: npt.NDArray[np.float32] = inverse.T.astype(
        np.float32, order="C"
    )  # what LAPACK filled is the upper triangle here
    for i in range(len(weights)):
        weights[i + 1 :, i] = weights[i, i + 1 :]
    weights /= -weights.diagonal()
    np.fill_diagonal(weights, 0)
    np.maximum(weights, 0, out=weights)
    return weights


def ease_scores(held: sparse.csr_array, model: Ease) -> npt.NDArray[np.float32]:
    """Scores (b, n) of all items for baskets (b, n); 0 for items that the model does not know."""
    scores = np.zeros(held.shape, np.float32)
    scores[:, model.items] = held[:, model.items] @ model.weights
    return scores
