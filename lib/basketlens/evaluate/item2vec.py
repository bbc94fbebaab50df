"""item2vec without sampling: what its negative sampling converges to, factored."""

from typing import Final

import numpy as np
from scipy import sparse

from basketlens.evaluate.known import Floats, Known
from basketlens.shopping import Projections

WIDTH: Final = 64
_SPARE, _PASSES = (
    32,
    6,
)  # directions beyond the width, and passes that sharpen them: the fit is exact to a percent


def in_out_vectors(known: Known, *, seed: int) -> Projections:
    """In-vectors as queries, out-vectors as keys, without bias: the best rank-64 fit to positive PMI.

    Skip-gram with negative sampling factors the pointwise mutual information of items, shifted; the truncated SVD
    finds that without learning rate or epochs, and the same vectors in every run.

    Source: Barkan & Koenigstein 2016, "Item2vec"; Levy & Goldberg 2014, "Neural Word Embedding as Implicit Matrix
    Factorization", section 4 (with one negative sample, a shift of 0).
    """
    pairs = known.counts.tocoo()
    pmi = np.log(pairs.data * known.totals.sum() / known.totals[pairs.row] / known.totals[pairs.col])
    positive = sparse.csr_array(
        (np.maximum(pmi, 0).astype(np.float32), (pairs.row, pairs.col)), shape=pairs.shape
    )
    left, right = _factors(positive, min(WIDTH, pairs.shape[0]), seed=seed)
    return Projections(left, right, np.zeros(pairs.shape[0]))


def _factors(table: sparse.csr_array, width: int, *, seed: int) -> tuple[Floats, Floats]:
    """Left and right (n, width) whose product left rightT is the best fit of the symmetric table, nearly.

    ARPACK, which scipy offers, gives other vectors in every call where the table has less than full rank, and
    new products have empty rows.

    Source: Halko et al. 2011, "Finding Structure with Randomness", algorithm 4.4 and section 5.1.
    """
    draw = np.random.default_rng(seed)
    sample = draw.standard_normal((table.shape[0], min(width + _SPARE, table.shape[0]))).astype(np.float32)
    basis, _ = np.linalg.qr(table @ sample)
    for _ in range(_PASSES):
        basis, _ = np.linalg.qr(table @ basis)
    left, values, right = np.linalg.svd((table @ basis).T, full_matrices=False)
    root = np.sqrt(values[:width])
    return (basis @ left[:, :width]) * root, right[:width].T * root
