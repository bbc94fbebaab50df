"""Whitening of name vectors: all directions count alike, not those alone that all names share."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from basketlens.errors import InputError


class Whitening(NamedTuple):
    """An affine map, fitted once; whatever reads a trained model must apply the same one."""

    mean: npt.NDArray[np.float32]  # (d,)
    matrix: npt.NDArray[np.float32]  # (d, d), symmetric


def fit_whitening(vectors: npt.NDArray[np.float32], *, ridge: float) -> Whitening:
    """The whitening of these vectors: (x - mean) @ matrix has nearly the identity as its covariance.

    The principal axes are turned back to where they came from (ZCA): lengths and angles are those of PCA, and the
    matrix does not depend on the signs that a solver happens to give to eigenvectors.

    Args:
        vectors: (n, d), of the items that are trained on alone.
        ridge: added to every eigenvalue as a share of their mean, above 0, so that directions that hold next to
            nothing are not blown up to noise.

    Raises:
        InputError: there are no two different vectors.

    Source: Kessy et al. 2018, "Optimal whitening and decorrelation", section 2; Su et al. 2021, "Whitening sentence
    representations for better semantics and faster retrieval".
    """
    x = vectors.astype(np.float64)
    mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    covariance = (x - mean).T @ (x - mean) / max(len(x), 1)  # (d, d)
    values, axes = np.linalg.eigh(covariance)
    if len(x) == 0 or values.mean() <= np.finfo(np.float32).eps ** 2:
        raise InputError(
            f"Names cannot be told apart: the {len(x)} items that were bought in training have one and the same vector.\n"
            "  Wanted: two different vectors at least\n"
            "  Next: look at product_name in table 'items'; clean.name_template composes it"
        )
    matrix = (axes / np.sqrt(values.clip(0) + ridge * values.mean())) @ axes.T
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))
