import numpy as np
import pytest

from basketlens.errors import InputError
from basketlens.evaluate.split import Cuts, item_classes, split_by_days
from basketlens.shopping import Baskets
from tests.unit.evaluate.small import baskets_of, shop

CUTS = Cuts(validation=60, test=80)


def test_the_parts_meet_at_the_cuts():
    baskets = baskets_of({0}, {1}, {2}, {0, 1}, {3}, items=4, days=[59, 60, 79, 80, 99])
    split = split_by_days(baskets, CUTS, new_share=0, seed=0)
    assert [list(part.days) for part in (split.train, split.validation, split.test)] == [
        [59],
        [60, 79],
        [80, 99],
    ]


def test_cuts_are_counted_from_the_last_day():
    days = np.array([17167, 17532], np.int32)
    assert Cuts.before_end(days, validation_days=28, test_days=58) == (17167 + 280, 17167 + 308)


def test_new_items_are_a_tenth_and_nowhere_in_training():
    _, baskets = shop(1)
    split = split_by_days(baskets, CUTS, new_share=0.1, seed=3)
    assert split.is_new.sum() == 6
    assert split.train.held[:, split.is_new].nnz == 0
    assert split.purchases[split.is_new].sum() == 0
    assert split.test.held[:, split.is_new].nnz > 0
    assert (np.diff(split.train.held.indptr) > 0).all()


def test_new_items_are_drawn_by_seed():
    _, baskets = shop(1)
    drawn = [split_by_days(baskets, CUTS, new_share=0.1, seed=seed).is_new for seed in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_the_caller_s_baskets_stay_as_they_are():
    _, baskets = shop(1)
    before = baskets.held.toarray()
    split_by_days(baskets, CUTS, new_share=0.5, seed=0)
    assert (baskets.held.toarray() == before).all()


def test_training_is_blind_to_what_comes_after_it():
    _, baskets = shop(2)
    _, others = shop(3)
    is_past = baskets.days < CUTS.validation
    swapped = baskets.held.toarray()
    swapped[~is_past] = others.held.toarray()[~is_past]
    later = Baskets(type(baskets.held)(swapped), baskets.customers, baskets.days)
    one, two = (split_by_days(b, CUTS, new_share=0.1, seed=0) for b in (baskets, later))
    assert (one.train.held != two.train.held).nnz == 0
    assert (one.purchases == two.purchases).all()
    assert (one.test.held != two.test.held).nnz > 0


@pytest.mark.parametrize(
    ("purchases", "of_class"),
    [
        pytest.param(21, "warm", id="more-than-20"),
        pytest.param(20, "tail", id="20"),
        pytest.param(5, "tail", id="5"),
        pytest.param(4, "cold", id="fewer-than-5"),
    ],
)
def test_classes_by_training_purchases(purchases, of_class):
    held = [{0}] * purchases + [{1}, {1}, {1}]
    days = [0] * purchases + [0, 60, 80]
    split = split_by_days(baskets_of(*held, items=2, days=days), CUTS, new_share=0, seed=0)
    classes = item_classes(split)
    assert [name for name in ("warm", "tail", "cold") if classes[name][0]] == [of_class]


def test_new_items_are_cold_as_well():
    _, baskets = shop(1)
    classes = item_classes(split_by_days(baskets, CUTS, new_share=0.2, seed=0))
    assert classes["new"].any()
    assert not (classes["new"] & ~classes["cold"]).any()


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        pytest.param([60, 80], "training", id="nothing-before-validation"),
        pytest.param([0, 80], "validation", id="no-validation"),
        pytest.param([0, 1], "validation and test", id="too-short"),
        pytest.param([], "training and validation and test", id="none"),
    ],
)
def test_a_part_without_baskets_is_named(days, missing):
    baskets = baskets_of(*[{0}] * len(days), items=2, days=days)
    with pytest.raises(InputError, match=f"No baskets for {missing}:"):
        split_by_days(baskets, CUTS, new_share=0, seed=0)
