"""How many pairs would be frequent if items had nothing to do with each other: known before any pair is counted."""

import numpy as np
from numpy.typing import NDArray


def expected_pairs(counts: NDArray[np.int64], *, cells: int, min_count: int) -> int:
    """Pairs that can be expected in `min_count` baskets, from single items and the sizes of baskets alone.

    Let each place in a basket take an item by itself, item i with the share p_i = count_i / entries that it has of
    all entries.  A basket of size s has s (s - 1) ordered pairs of places, so items i and j are expected in it
    s (s - 1) p_i p_j times.  Over all baskets that is 2 cells p_i p_j = 2 cells count_i count_j / entries^2, with
    cells the sum of s (s - 1) / 2.  `entries` is the sum of the counts, so that the shares add up to 1.  Without the
    items that are too rare for a higher count, cells and entries^2 would shrink by the same factor: expectations of the
    others stay, so any `min_count` can be asked of the same moments.

    A pair counts when its expectation reaches `min_count`, and so does its rarer item.  It is no bound: items bought
    together on purpose make more pairs frequent, items of different shops or seasons, which never meet, fewer.

    Args:
        counts: baskets of each frequent item, ascending.
        cells: pairs of items within baskets.
        min_count: baskets, 1 or more.
    """
    likely = counts[np.searchsorted(counts, min_count) :]
    if len(likely) < 2 or not cells:  # noqa: PLR2004 - a pair is two items
        return 0
    entries = int(counts.sum())
    least = -(-min_count * entries**2 // (2 * cells))  # of count_i count_j; whole, as they are
    # The fewest baskets that a partner needs fall as an item's own rise: a bisection each, O(n log n) in all.
    first = np.searchsorted(likely, float(least) / likely)
    return int((len(likely) - np.maximum(first, np.arange(1, len(likely) + 1))).sum())


def count_that_fits(counts: NDArray[np.int64], *, cells: int, limit: int) -> int:
    """The least `min_count` with which at most `limit` pairs are expected."""
    low, high = 1, int(counts[-1]) + 1  # so many baskets no item has
    while low < high:
        middle = (low + high) // 2
        if expected_pairs(counts, cells=cells, min_count=middle) <= limit:
            high = middle
        else:
            low = middle + 1
    return low
