import numpy as np
import pytest
from scipy import sparse

from basketlens.finetune.sampling import KeyOptions, chances_of, draw_by_chance, draw_keys, entries, key_pool

PURCHASES = np.array([3, 0, 9, 1, 9, 2, 0, 5])


def test_the_most_frequent_are_always_there_and_the_never_bought_never():
    pool = key_pool(PURCHASES, KeyOptions(always=3, share=0.25))
    assert pool.always.tolist() == [2, 4, 7]
    assert pool.rest.tolist() == [0, 5, 3]
    assert pool.taken == 1


def test_every_other_key_is_drawn_equally_often_and_corrected_for_it():
    pool = key_pool(PURCHASES, KeyOptions(always=3, share=0.5))
    times = np.zeros(8)
    for step in range(600):
        keys = draw_keys(pool, 8, np.random.default_rng([0, step]))
        times[keys.items] += 1
        assert keys.correction.tolist() == pytest.approx([0, 0, 0, np.log(1.5), np.log(1.5)])
        assert keys.place[keys.items].tolist() == [0, 1, 2, 3, 4]
        assert (keys.place >= 0).sum() == 5
    assert times[[1, 6]].tolist() == [0, 0]
    assert times[[2, 4, 7]].tolist() == [600] * 3
    assert times[[0, 3, 5]] == pytest.approx([400] * 3, rel=0.1)


@pytest.mark.parametrize(("always", "share"), [(100, 0.25), (6, 0.25), (2, 1.0)])
def test_all_keys_need_no_correction(always, share):
    keys = draw_keys(key_pool(PURCHASES, KeyOptions(always, share)), 8, np.random.default_rng(0))
    assert sorted(keys.items.tolist()) == [0, 2, 3, 4, 5, 7]
    assert keys.correction.tolist() == [0] * 6


def test_entries_of_some_rows():
    matrix = sparse.csr_array(np.array([[0, 5, 0], [0, 0, 0], [1, 0, 2]]))
    at, columns, values = entries(matrix, np.array([2, 1, 0]))
    assert (at.tolist(), columns.tolist(), values.tolist()) == ([0, 0, 2], [0, 2, 1], [1, 2, 5])


def test_chances_are_in_proportion_and_certainty_at_most():
    chances = chances_of(np.array([100.0, 4.0, 2.0, 1.0, 1.0, 0.0]), 3)
    assert chances.tolist() == pytest.approx([1, 1, 0.5, 0.25, 0.25, 0])  # 4 of 8 of two items would be 1
    assert chances_of(np.sqrt(PURCHASES), 6).tolist() == [1, 0, 1, 1, 1, 1, 0, 1]
    assert chances_of(np.sqrt(PURCHASES), 0).tolist() == [0] * 8


@pytest.mark.parametrize("expected", [2, 4])
def test_items_are_drawn_by_their_chances(expected):
    chances = chances_of(PURCHASES.astype(float), expected)
    times = np.zeros(8)
    for step in range(2000):
        drawn = draw_by_chance(chances, np.random.default_rng([0, step]))
        assert len(drawn) == len(set(drawn.tolist())) == expected
        times[drawn] += 1
    assert times / 2000 == pytest.approx(chances, abs=0.04)
    assert times[chances == 1].tolist() == [2000] * int((chances == 1).sum())
