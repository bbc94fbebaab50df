import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketlens.mine.candidates import pair_keys
from basketlens.mine.prune import prune_block
from tests.unit.mine.small import BASKETS, N_ITEMS, baskets_of, block_of, counted

TRIANGLE = [(0, 1), (0, 2), (1, 2)]


def pruned(baskets, pairs):
    a, b = np.array(pairs).T
    return baskets_of(prune_block(block_of(baskets), pair_keys(a, b, n_items=N_ITEMS), n_items=N_ITEMS))


@pytest.mark.parametrize(
    ("basket", "pairs", "left"),
    [
        pytest.param([0, 1, 2], TRIANGLE, [[0, 1, 2]], id="a-triangle-stays"),
        pytest.param([0, 1, 2, 5], TRIANGLE, [[0, 1, 2]], id="an-item-without-partners-goes"),
        pytest.param([0, 1, 2, 3], [*TRIANGLE, (2, 3)], [[0, 1, 2]], id="one-partner-is-not-enough"),
        pytest.param([0, 1], TRIANGLE, [], id="partners-must-be-in-the-basket"),
        pytest.param([0, 1, 2], [(0, 1), (1, 2), (2, 3), (0, 3)], [], id="a-path-is-no-triangle"),
        pytest.param(
            [0, 1, 2, 3, 4],
            [*TRIANGLE, (2, 3), (3, 4), (4, 5)],
            [[0, 1, 2]],
            id="second-round-takes-what-the-first-left-alone",
        ),
    ],
)
def test_prune(basket, pairs, left):
    assert pruned([basket], pairs) == left


@given(BASKETS, st.integers(1, 4))
def test_supports_of_three_and_more_stay(baskets, min_count):
    pairs = [pair for pair, count in counted(baskets, [2]).items() if count >= min_count]
    if not pairs:
        return
    sizes = range(3, N_ITEMS + 1)
    after = counted(pruned(baskets, pairs), sizes)
    for items, count in counted(baskets, sizes).items():
        if count >= min_count:
            assert after[items] == count


@given(BASKETS)
def test_nothing_is_added(baskets):
    pairs = list(counted(baskets, [2])) or [(0, 1)]
    before, after = counted(baskets, [3]), counted(pruned(baskets, pairs), [3])
    assert all(after[items] <= before[items] for items in after)
