from fractions import Fraction
from itertools import combinations, count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from basketlens.mine.expected_pairs import count_that_fits, expected_pairs

COUNTS = st.lists(st.integers(1, 60), min_size=1, max_size=25).map(sorted)
CELLS = st.integers(0, 3000)


def by_all_pairs(counts, cells, min_count):
    """Over each pair alone, in exact fractions."""
    expected = (
        (Fraction(2 * cells * a * b, sum(counts) ** 2), min(a, b)) for a, b in combinations(counts, 2)
    )
    return sum(both >= min_count and rarer >= min_count for both, rarer in expected)


@given(COUNTS, CELLS, st.integers(1, 30))
def test_as_counted_over_all_pairs(counts, cells, min_count):
    found = expected_pairs(np.array(counts), cells=cells, min_count=min_count)
    assert found == by_all_pairs(counts, cells, min_count)


@given(COUNTS, CELLS, st.integers(0, 50))
def test_the_least_count_that_fits(counts, cells, limit):
    wanted = next(at for at in count(1) if by_all_pairs(counts, cells, at) <= limit)
    assert count_that_fits(np.array(counts), cells=cells, limit=limit) == wanted


def test_an_expectation_is_what_independent_places_give():
    """Items a, b, c in shares 3 : 2 : 1 and baskets of 2 and 3 places: every way to fill them, by its chance."""
    shares, sizes = {"a": Fraction(3, 6), "b": Fraction(2, 6), "c": Fraction(1, 6)}, (2, 3) * 6
    together = sum(
        (x == "a") * (y == "b") * shares[x] * shares[y]
        for size in sizes for x in shares for y in shares for _ in range(size * (size - 1))
    )  # fmt: skip
    cells = sum(size * (size - 1) // 2 for size in sizes)
    counts = np.array([5, 10, 15])  # 30 entries, as the sizes have
    assert together == 8
    assert expected_pairs(counts, cells=cells, min_count=8) == 1
    assert expected_pairs(counts, cells=cells, min_count=9) == 0


def test_counts_of_billions_do_not_wrap():
    counts = np.array([1_000_000_000, 2_000_000_000, 4_000_000_000])
    cells = 20_000_000_000_000
    assert expected_pairs(counts, cells=cells, min_count=900_000_000) == by_all_pairs(
        counts.tolist(), cells, 900_000_000
    )
