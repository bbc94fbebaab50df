import numpy as np
import pytest

from basketlens.errors import InputError
from basketlens.finetune.whitening import fit_whitening


def vectors(n, d, seed):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, d)) @ np.diag(np.geomspace(1, 0.05, d)) + 3
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_all_directions_count_alike():
    x = vectors(500, 12, 0)
    found = fit_whitening(x, ridge=1e-9)
    white = (x - found.mean) @ found.matrix
    assert np.cov(white.T, bias=True) == pytest.approx(np.eye(12), abs=1e-3)


def test_angles_are_those_of_pca():
    x = vectors(200, 6, 1).astype(np.float64)
    centred = x - x.mean(axis=0)
    _, s, axes = np.linalg.svd(centred, full_matrices=False)
    values = s**2 / len(x)
    pca = centred @ axes.T / np.sqrt(values + 1e-2 * values.mean())
    found = fit_whitening(x.astype(np.float32), ridge=1e-2)
    white = (x - found.mean) @ found.matrix
    assert white @ white.T == pytest.approx(pca @ pca.T, abs=1e-3)


def test_a_direction_that_names_do_not_use_stays_bounded():
    x = vectors(50, 8, 2)
    x[:, 3] = 0
    found = fit_whitening(x, ridge=1e-3)
    assert np.isfinite(found.matrix).all()
    assert np.linalg.norm(found.matrix, 2) < 1e4


@pytest.mark.parametrize(
    "x", [np.ones((5, 4), np.float32) / 2, np.empty((0, 4), np.float32)], ids=["same", "none"]
)
def test_names_that_cannot_be_told_apart(x):
    with pytest.raises(InputError, match="one and the same vector"):
        fit_whitening(x, ridge=1e-3)
