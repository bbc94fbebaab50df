import numpy as np
import pytest
from scipy import sparse

from basketlens.ease import basket_weights, ease_scores, fit_ease, gram_of, require_memory, solve_ease
from basketlens.errors import InputError, LimitError
from tests.unit.evaluate.small import baskets_of, shop


def fit(baskets, max_items=100, ridge=5.0):
    return fit_ease(gram_of(baskets.held, max_items=max_items), ridge=ridge)


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_the_regression_of_each_item_on_all_others(seed):
    """EASE's closed form against what it solves: ridge regression, item by item, negatives cut afterwards."""
    _, baskets = shop(seed, items=20, baskets=300)
    held = baskets.held.toarray().astype(np.float64)
    weights = np.rint(1024 / np.sqrt(np.maximum(held.sum(axis=1), 1))) / 1024
    held *= np.sqrt(weights)[:, None]
    wanted = np.zeros((20, 20))
    for j in range(20):
        others = [i for i in range(20) if i != j]
        x = held[:, others]
        wanted[others, j] = np.linalg.solve(x.T @ x + 5.0 * np.eye(19), x.T @ held[:, j])
    model = fit(baskets)
    sold = np.flatnonzero(held.any(axis=0))
    assert model.items.tolist() == sold.tolist()
    assert model.weights == pytest.approx(np.maximum(wanted[np.ix_(sold, sold)], 0), abs=1e-5)


def test_only_the_most_purchased_items_are_known():
    baskets = baskets_of({0, 1, 4}, {1, 2}, {1, 2, 4}, {2, 3}, {0, 3, 4}, items=6)  # sold 2 3 3 2 3 0 times
    assert fit(baskets, max_items=3).items.tolist() == [1, 2, 4]
    assert fit(baskets, max_items=4).items.tolist() == [0, 1, 2, 4]  # 0 and 3 tie: the lower number
    assert fit(baskets, max_items=6).items.tolist() == [0, 1, 2, 3, 4]  # 5 was never sold


def test_scores_are_sums_of_weights_and_zero_elsewhere():
    _, baskets = shop(0)
    model = fit(baskets, max_items=12)
    scores = ease_scores(baskets.held[:50], model)
    dense = np.zeros((60, 60))
    dense[np.ix_(model.items, model.items)] = model.weights
    assert scores == pytest.approx(baskets.held[:50].toarray() @ dense, abs=1e-5)
    assert scores.dtype == np.float32


def test_couples_find_each_other():
    _, baskets = shop(0, baskets=4000)
    weights = fit(baskets).weights
    assert [int(weights[i].argmax()) for i in range(0, 60, 2)].count(1) <= 1
    assert np.mean([weights[i].argmax() == i + 1 for i in range(0, 60, 2)]) > 0.9


def test_memory_is_known_beforehand():
    require_memory(6000, limit=24 * 6000**2)
    with pytest.raises(LimitError, match=r"6,001 items needs 824 MiB.*\n.*ease.max_items=6000 or fewer"):
        require_memory(6001, limit=24 * 6000**2)


def test_a_basket_counts_by_one_over_the_root_of_its_items():
    assert basket_weights(np.array([1, 4, 100, 0])).tolist() == [1024, 512, 102, 1024]
    gram = gram_of(baskets_of({0, 1, 2, 3}, {0}, {1}, items=4).held, max_items=9).matrix
    assert gram.diagonal().tolist() == [1.5, 1.5, 0.5, 0.5]
    assert gram[0].tolist() == [1.5, 0.5, 0.5, 0.5]


def test_bad_input_has_one_clear_message():
    alone = sparse.csr_array(np.array([[1, 0, 0]], np.float32))
    with pytest.raises(InputError, match="1 of 3 items were ever sold"):
        gram_of(alone, max_items=10)
    with pytest.raises(InputError, match="2 items cannot be inverted with a ridge of -1"):
        solve_ease(np.ones((2, 2)), ridge=-1.0)  # settings allow none below 0
