"""Known pairs as ascending int64 keys, and where they occur in a block of baskets."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from basketlens.mine.blocks import Block, keep_items, pairs_by_distance

_SLOTS_A_KEY: Final = 32  # so that about one other pair in 32 is looked up in vain


def pair_keys(a: NDArray[np.integer], b: NDArray[np.integer], *, n_items: int) -> NDArray[np.int64]:
    """Pairs a < b as one ascending array of int64 keys; exact for up to 3 billion items."""
    return np.sort(a.astype(np.int64) * n_items + b)


class PairFinder:
    """Looks pairs up among known ones; most that are asked for are none of them, and are told by one bit.

    Args:
        keys: by `pair_keys`, one or more.
        n_items: as in `pair_keys`.
    """

    def __init__(self, keys: NDArray[np.int64], *, n_items: int) -> None:
        self._keys, self._n_items = keys, n_items
        slots = 1 << min(26, max(10, int(len(keys) * _SLOTS_A_KEY).bit_length()))  # 64 MiB at most
        self._mask = np.int64(slots - 1)
        self._may_be = np.zeros(slots, np.bool_)
        self._may_be[keys & self._mask] = True

    def find(self, a: NDArray[np.int32], b: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the pairs are known, as positions into `a` and `b`, and their places among the keys."""
        wanted = a.astype(np.int64) * self._n_items + b
        maybe = np.flatnonzero(self._may_be[wanted & self._mask])
        wanted = wanted[maybe]
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        is_known = self._keys[at] == wanted
        return maybe[is_known], at[is_known]


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
    finder = PairFinder(keys, n_items=n_items)
    is_wanted = partners_per_item(keys, n_items=n_items) > 0
    rest = keep_items(block, is_wanted[block.codes])
    for left, right in pairs_by_distance(rest):
        _, at = finder.find(rest.codes[left], rest.codes[right])
        np.add.at(counts, at, 1)
    return counts
