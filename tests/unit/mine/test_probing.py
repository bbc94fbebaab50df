import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketlens.mine.probing import expected_itemsets, ladder, sampled_prefixes
from tests.unit.mine.small import BASKETS, N_ITEMS, block_of, counted


@pytest.mark.parametrize("bitmap_bytes", [pytest.param(1 << 20, id="bitmaps"), pytest.param(0, id="split")])
@given(BASKETS, st.integers(1, 3), st.integers(3, N_ITEMS))
def test_few_itemsets_are_counted_exactly(bitmap_bytes, baskets, min_count, max_size):
    sets = [s for s, n in counted(baskets, range(3, max_size + 1)).items() if n >= min_count]
    found = expected_itemsets(
        block_of(baskets), np.ones(N_ITEMS, np.bool_),
        min_count=min_count, max_size=max_size, bitmap_bytes=bitmap_bytes,
    )  # fmt: skip
    wanted = {item: sum(s[0] == item for s in sets) for item in {s[0] for s in sets}}
    assert dict(zip(found.codes.tolist(), found.sets.tolist(), strict=True)) == wanted


@pytest.mark.parametrize("items", [14, 17, 20])
def test_many_are_foreseen_within_a_quarter(items):
    """Three equal baskets: every subset of them is frequent, 2^items of them, which nobody lists."""
    found = expected_itemsets(
        block_of([range(items)] * 3), np.ones(items, np.bool_), min_count=3, max_size=items
    )
    wanted = 2**items - 1 - items - items * (items - 1) // 2
    assert found.sets.sum() == pytest.approx(wanted, rel=0.25)


def test_larger_sets_than_wanted_are_not_foreseen():
    found = expected_itemsets(block_of([range(30)] * 3), np.ones(30, np.bool_), min_count=3, max_size=4)
    assert found.sets.sum() == pytest.approx(4060 + 27405, rel=0.25)  # C(30, 3) + C(30, 4)


def test_the_same_baskets_in_another_order_give_the_same_estimate():
    draw = np.random.default_rng(7)
    baskets = [np.flatnonzero(draw.random(24) < 0.7).tolist() for _ in range(40)]
    one, two = (
        expected_itemsets(block_of(rows), np.ones(24, np.bool_), min_count=6, max_size=24)
        for rows in (baskets, baskets[::-1])
    )
    assert one.sets.tolist() == two.sets.tolist()
    assert one.sets.max() > 10_000, "nothing was estimated"


def test_a_sample_is_as_large_as_asked():
    assert sampled_prefixes(10_000, 1.0).all()
    assert sampled_prefixes(10_000, 0.1).sum() == pytest.approx(1000, abs=30)


def test_ladder():
    assert ladder(10, steps=4) == [10, 13, 17, 22]
    assert ladder(2, steps=3) == [2, 3, 4]
