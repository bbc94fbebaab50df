import numpy as np
import pytest
from scipy.stats import hypergeom

from basketlens.errors import InputError
from basketlens.evaluate.tasks import basket_completion, partner_search
from tests.unit.evaluate.small import baskets_of, shop


def nothing(items: int) -> dict[str, np.ndarray]:
    return {"cold": np.zeros(items, bool)}


def completion(baskets, train, *, max_queries=10_000, seed=0, classes=None):
    n = baskets.held.shape[1]
    return basket_completion(
        baskets, train, classes or nothing(n), part="test", max_queries=max_queries, seed=seed
    )


def partners(baskets, *, max_queries=10_000, seed=0):
    n = baskets.held.shape[1]
    return partner_search(baskets, nothing(n), part="test", max_queries=max_queries, seed=seed)


def test_one_item_of_each_basket_of_four_is_hidden():
    _, baskets = shop(0)
    task = completion(baskets, baskets)
    large = baskets.held[np.diff(baskets.held.indptr) >= 4]
    assert ((task.queries.visible + task.targets) != large).nnz == 0
    assert (np.diff(task.targets.indptr) == 1).all()
    assert (task.queries.visible * task.targets).nnz == 0


def test_three_items_are_too_few():
    baskets = baskets_of({0, 1, 2}, {0, 1, 2, 3}, items=5)
    assert completion(baskets, baskets).queries.visible.shape == (1, 5)


def test_which_item_is_hidden_depends_on_the_seed():
    _, baskets = shop(0)
    hidden = [completion(baskets, baskets, seed=seed).targets.indices for seed in (0, 0, 1)]
    assert (hidden[0] == hidden[1]).all()
    assert (hidden[0] != hidden[2]).any()


def test_every_item_is_hidden_about_as_often():
    baskets = baskets_of(*[{0, 1, 2, 3}] * 4000, items=4)
    times = np.bincount(completion(baskets, baskets).targets.indices)
    assert (np.abs(times - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75)).all()


def test_queries_are_bounded():
    _, baskets = shop(0)
    assert len(completion(baskets, baskets, max_queries=7).queries.customers) == 7
    assert partners(baskets, max_queries=5).queries.visible.shape[0] == 5


@pytest.mark.parametrize(
    ("customer", "repeat", "explore"),
    [
        pytest.param(0, True, False, id="bought-it-before"),
        pytest.param(1, False, True, id="bought-other-things"),
        pytest.param(2, False, False, id="never-seen-in-training"),
        pytest.param(-1, False, False, id="not-known"),
    ],
)
def test_repeat_and_explore(customer, repeat, explore):
    train = baskets_of({0, 1, 2, 3}, {4}, {0, 1, 2, 3}, items=5, customers=[0, 1, -1])
    task = completion(baskets_of({0, 1, 2, 3}, items=5, customers=[customer]), train)
    assert (task.classes["repeat"].tolist(), task.classes["explore"].tolist()) == ([repeat], [explore])


def test_classes_are_those_of_the_hidden_item():
    is_odd = np.arange(60) % 2 == 1
    _, baskets = shop(0)
    task = completion(baskets, baskets, classes={"odd": is_odd})
    assert (task.classes["odd"] == (task.targets.indices % 2 == 1)).all()


@pytest.mark.parametrize("seed", range(3))
def test_partners_agree_with_scipy_pair_by_pair(seed):
    _, baskets = shop(seed, items=30, baskets=400)
    held = baskets.held.toarray().astype(int)
    n = len(held)
    wanted = set()
    for i in range(30):
        for j in range(30):
            both, n_i, n_j = (
                int((held[:, i] & held[:, j]).sum()),
                int(held[:, i].sum()),
                int(held[:, j].sum()),
            )
            is_lifted = both * n > n_i * n_j
            if i != j and both >= 3 and is_lifted and hypergeom.sf(both - 1, n, n_i, n_j) < 1e-3:
                wanted.add((i, j))
    task = partners(baskets)
    asked = task.queries.visible.indices[
        np.repeat(np.arange(task.targets.shape[0]), np.diff(task.targets.indptr))
    ]
    assert set(zip(asked.tolist(), task.targets.indices.tolist(), strict=True)) == wanted
    assert len(wanted) > 10


def test_messages_when_there_is_nothing_to_ask():
    small = baskets_of({0, 1}, {2}, items=3)
    with pytest.raises(InputError, match="has 4 items"):
        completion(small, small)
    with pytest.raises(InputError, match="No two items are partners in the 2 baskets of test"):
        partners(small)
