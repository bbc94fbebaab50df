import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketlens.mine.candidates import PairFinder, count_candidates, pair_keys, partners_per_item
from basketlens.mine.cooccurrence import pair_counts
from tests.unit.mine.small import BASKETS, N_ITEMS, block_of, counted


def as_dict(found):
    rows = list(zip(found.a.tolist(), found.b.tolist(), found.baskets.tolist(), strict=True))
    assert len({(a, b) for a, b, _ in rows}) == len(rows), "a pair occurs twice"
    return {(a, b): count for a, b, count in rows}


@given(BASKETS, st.integers(1, 4), st.integers(1, 40))
def test_pair_counts_agree_with_a_loop(baskets, min_count, products):
    found = pair_counts(block_of(baskets), n_items=N_ITEMS, min_count=min_count, products=products)
    wanted = {pair: count for pair, count in counted(baskets, [2]).items() if count >= min_count}
    assert as_dict(found) == wanted


@pytest.mark.parametrize("times", [127, 128, 256, 40_000])
def test_counts_do_not_wrap(times):
    assert as_dict(pair_counts(block_of([[0, 2]] * times), n_items=3, min_count=1)) == {(0, 2): times}


@given(
    BASKETS,
    st.sets(st.tuples(st.integers(0, 5), st.integers(1, 6)).filter(lambda p: p[0] < p[1]), min_size=1),
)
def test_candidates_agree_with_a_loop(baskets, candidates):
    a, b = np.array(sorted(candidates)).T
    found = count_candidates(block_of(baskets), pair_keys(a, b, n_items=N_ITEMS), n_items=N_ITEMS)
    every = counted(baskets, [2])
    assert found.tolist() == [every[pair] for pair in sorted(candidates)]


def test_keys_of_the_largest_codes_are_exact():
    most = 2**31 - 1
    a, b = np.array([most - 2, 5], np.int32), np.array([most - 1, most - 1], np.int32)
    keys = pair_keys(a, b, n_items=most)
    assert [divmod(key, most) for key in keys.tolist()] == [(5, most - 1), (most - 2, most - 1)]
    known, at = PairFinder(keys, n_items=most).find(a, b)
    assert (known.tolist(), at.tolist()) == ([0, 1], [1, 0])


def test_a_key_beyond_the_last_is_not_found():
    keys = pair_keys(np.array([0]), np.array([1]), n_items=4)
    known, at = PairFinder(keys, n_items=4).find(np.array([2, 0], np.int32), np.array([3, 1], np.int32))
    assert (known.tolist(), at.tolist()) == ([1], [0])


def test_pairs_that_share_a_slot_are_told_apart():
    keys = pair_keys(np.array([0]), np.array([1]), n_items=1024)
    known, _ = PairFinder(keys, n_items=1024).find(
        np.array([0, 1, 0], np.int32), np.array([1025, 1, 1], np.int32)
    )
    assert known.tolist() == [2]  # 0 * 1024 + 1025 and 1 * 1024 + 1 equal 1 in their last ten bits


def test_partners_are_counted_on_both_sides():
    keys = pair_keys(np.array([0, 0, 1]), np.array([1, 2, 2]), n_items=4)
    assert partners_per_item(keys, n_items=4).tolist() == [2, 2, 2, 0]
