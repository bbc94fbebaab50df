import math
from itertools import permutations

import numpy as np
import pytest
from scipy import sparse

from basketlens.evaluate.ranks import Places, discounted_gain_at, hit_at, places_of, reciprocal_rank


def ranks_of(scores, visible, target) -> list[int]:
    """The target's rank in every order of the candidates that the scores allow."""
    candidates = [j for j in range(len(scores)) if not visible[j]]
    found = []
    for order in permutations(candidates):
        ordered = [scores[j] for j in order]
        if ordered == sorted(ordered, reverse=True):
            found.append(order.index(target) + 1)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_expectations_agree_with_every_order_of_the_ties(seed):
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 3, 7).astype(np.float32)
    visible = np.zeros(7)
    visible[draw.choice(7, 2, replace=False)] = 1
    target = int(draw.choice(np.flatnonzero(visible == 0)))
    places = places_of(
        scores[None], sparse.csr_array(visible[None]), sparse.csr_array(np.eye(7, dtype=np.float32)[[target]])
    )
    ranks = ranks_of(scores, visible, target)
    for k in (1, 2, 10):
        assert hit_at(k, places)[0] == pytest.approx(np.mean([r <= k for r in ranks]))
    assert reciprocal_rank(places)[0] == pytest.approx(np.mean([1 / r for r in ranks]))
    gains = [1 / math.log2(1 + r) if r <= 3 else 0 for r in ranks]
    assert discounted_gain_at(3, places)[0] == pytest.approx(np.mean(gains))


@pytest.mark.parametrize(
    ("above", "ties", "k", "hit"),
    [
        pytest.param(9, 0, 10, 1.0, id="last-place-that-counts"),
        pytest.param(10, 0, 10, 0.0, id="first-that-does-not"),
        pytest.param(9, 1, 10, 0.5, id="a-tie-for-it-counts-half"),
        pytest.param(0, 99, 10, 0.1, id="all-the-same"),
    ],
)
def test_hits(above, ties, k, hit):
    assert hit_at(k, Places(np.array([above]), np.array([ties]))).tolist() == [hit]


@pytest.mark.parametrize("seed", range(5))
def test_several_targets_a_query(seed):
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 6, (8, 40)).astype(np.float32)
    visible = draw.random((8, 40)) < 0.2
    targets = (draw.random((8, 40)) < 0.2) & ~visible  # few in some rows, many in others
    places = places_of(scores, sparse.csr_array(visible * 1.0), sparse.csr_array(targets * 1.0))
    at = 0
    for row, column in zip(*np.nonzero(targets), strict=True):
        others = [j for j in range(40) if not visible[row, j] and j != column]
        assert places.above[at] == sum(scores[row, j] > scores[row, column] for j in others)
        assert places.ties[at] == sum(scores[row, j] == scores[row, column] for j in others)
        at += 1
    assert at == len(places.above)


def test_nan_is_refused():
    scores = np.array([[0.0, np.nan]], np.float32)
    with pytest.raises(ValueError, match="NaN"):
        places_of(scores, sparse.csr_array((1, 2)), sparse.csr_array(np.array([[0.0, 1.0]])))
