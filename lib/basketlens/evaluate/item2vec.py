"""item2vec without sampling: what its negative sampling converges to, factored."""

from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from basketlens.evaluate.known import Known
from basketlens.shopping import Projections

WIDTH: Final = 64


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
    width = min(WIDTH, pairs.shape[0] - 1)
    start = np.random.default_rng(seed).standard_normal(pairs.shape[0]).astype(np.float32)
    left, values, right = svds(positive, k=width, v0=start)
    root = np.sqrt(np.maximum(values, 0))
    return Projections(
        (left * root).astype(np.float32), (right.T * root).astype(np.float32), np.zeros(pairs.shape[0])
    )
