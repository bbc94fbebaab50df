"""Known pairs as ascending int64 keys, and where they occur in a block of baskets."""

import numpy as np
from numpy.typing import NDArray

from basketlens.mine.blocks import Block, keep_items, pairs_by_distance


def pair_keys(a: NDArray[np.integer], b: NDArray[np.integer], *, n_items: int) -> NDArray[np.int64]:
    """Pairs a < b as one ascending array of int64 keys; exact for up to 3 billion items."""
    return np.sort(a.astype(np.int64) * n_items + b)


def find_keys(
    keys: NDArray[np.int64], a: NDArray[np.int32], b: NDArray[np.int32], *, n_items: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each pair is among the ascending `keys` (one or more), and where; the place of others is arbitrary."""
    wanted = a.astype(np.int64) * n_items + b
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return keys[at] == wanted, at


def partners_per_item(keys: NDArray[np.int64], *, n_items: int) -> NDArray[np.int64]:
    """In how many of the pairs each item is, (n_items,)."""
    return np.bincount(keys // n_items, minlength=n_items) + np.bincount(keys % n_items, minlength=n_items)


def count_candidates(block: Block, keys: NDArray[np.int64], *, n_items: int) -> NDArray[np.int64]:
    """Baskets of the block that hold each candidate pair, (candidates,).

    Args:
        block: baskets with codes below `n_items`.
        keys: candidates by `pair_keys`, one or more.
        n_items: as in `pair_keys`.
    """
    counts = np.zeros(len(keys), np.int64)
    is_wanted = partners_per_item(keys, n_items=n_items) > 0
    rest = keep_items(block, is_wanted[block.codes])
    for left, right in pairs_by_distance(rest):
        is_candidate, at = find_keys(keys, rest.codes[left], rest.codes[right], n_items=n_items)
        np.add.at(counts, at[is_candidate], 1)
    return counts
