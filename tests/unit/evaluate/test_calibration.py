import numpy as np
import pytest
from scipy import sparse

from basketlens.evaluate.attending import softmax
from basketlens.evaluate.calibration import reliability


def shop_of(probability: np.ndarray, draws: int, seed: int) -> sparse.csr_array:
    """Co-purchases drawn row by row from these probabilities."""
    draw = np.random.default_rng(seed)
    return sparse.csr_array(
        np.stack([draw.multinomial(draws, row) for row in probability]).astype(np.float32)
    )


def spread(temperature: float) -> np.ndarray:
    scores = np.random.default_rng(0).standard_normal((40, 50)) * 2 / temperature
    return softmax(scores)


def test_the_true_probability_is_calibrated():
    p = spread(1)
    found = reliability(lambda items: p[items].astype(np.float32), shop_of(p, 20_000, 1), np.arange(40))
    assert len(found.predicted) == 10
    assert (np.diff(found.predicted) > 0).all()
    assert found.observed == pytest.approx(found.predicted, rel=0.03)
    assert found.error < 0.01


def test_overconfidence_shows_where_it_is():
    p, bold = spread(1), spread(0.5)
    found = reliability(lambda items: bold[items].astype(np.float32), shop_of(p, 20_000, 1), np.arange(40))
    assert found.predicted[-1] > 1.2 * found.observed[-1]
    assert found.error > 0.2


def test_the_error_is_the_share_of_co_purchases_that_was_put_elsewhere():
    p = np.array([[0.9, 0.1]], np.float32)
    counts = sparse.csr_array(np.array([[50, 50]], np.float32))
    found = reliability(lambda items: p[items], counts, np.array([0]))
    assert found.predicted == pytest.approx([0.1, 0.9])
    assert found.observed == pytest.approx([0.5, 0.5])
    assert found.error == pytest.approx(0.8)


def test_rows_without_co_purchases_have_no_say():
    p = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    counts = sparse.csr_array(np.array([[1, 1], [0, 0]], np.float32))
    assert reliability(lambda items: p[items], counts, np.array([0, 1])).error == pytest.approx(0, abs=1e-6)
