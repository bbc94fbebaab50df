"""The baskets behind every node of a prefix tree, depth first, a bounded chunk at a time."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from basketlens.mine.tree import Tier

CANDIDATES: Final = 1 << 21  # (basket, item) pairs looked up at once: some 120 MiB, and 32 MiB more per tier


class Index(NamedTuple):
    """Baskets by item: for each item the ascending baskets that hold it."""

    n_baskets: int
    keys: NDArray[np.int64]  # (entries,), code * n_baskets + basket, ascending
    money: NDArray[np.int64]  # (entries,), paid for the item in the basket
    is_kept: NDArray[np.bool_]  # (entries,), false: the entry counts for the single item alone


class Behind(NamedTuple):
    """The baskets behind some neighbouring nodes of a tier."""

    tier: int
    first: int  # the first of the nodes
    starts: NDArray[np.int64]  # (nodes + 1,), node first + i has baskets[starts[i]:starts[i + 1]]
    baskets: NDArray[np.int64]  # (entries,), ascending within a node
    spent: NDArray[np.int64]  # (entries,), paid in the basket for all items of the node
    goes_on: NDArray[np.bool_]  # (entries,), false: the basket counts for the node but for no larger set


def index_of(
    codes: NDArray[np.int32], starts: NDArray[np.int64], money: NDArray[np.int64], *, max_items: int
) -> Index:
    """Baskets, as in `blocks.Block`, by item.

    Args:
        codes: (entries,), ascending within a basket.
        starts: (baskets + 1,).
        money: (entries,).
        max_items: of a basket with more, sets of two or more see just the last codes, the most frequent items, as
            when it was mined; 0 = all.
    """
    sizes = np.diff(starts)
    basket = np.repeat(np.arange(len(sizes)), sizes)
    from_end = np.repeat(starts[1:], sizes) - np.arange(len(codes))
    order = np.argsort(codes, kind="stable")
    is_kept = from_end <= max_items if max_items else np.ones(len(codes), np.bool_)
    keys = codes[order].astype(np.int64) * len(sizes) + basket[order]
    return Index(len(sizes), keys, money[order], is_kept[order])


def walk(tiers: list[Tier], index: Index, *, candidates: int = CANDIDATES) -> Iterator[Behind]:
    """Every node that some basket of the index is behind, with these baskets; neighbours come together.

    Args:
        tiers: from `tree.tree_of`.
        index: the baskets.
        candidates: looked up at once; a single node may need as many as there are baskets.
    """
    if not tiers:
        return
    item = tiers[0].item.astype(np.int64)
    low, high = (np.searchsorted(index.keys, (item + one) * index.n_baskets) for one in (0, 1))
    for first, end in _slices(high - low, candidates):
        yield from _below(tiers, index, _singles(index, first, low[first:end], high[first:end]), candidates)


def _singles(index: Index, first: int, low: NDArray[np.int64], high: NDArray[np.int64]) -> Behind:
    at = _ragged(low, high - low)
    return Behind(
        0, first, _starts(high - low), index.keys[at] % index.n_baskets, index.money[at], index.is_kept[at]
    )


def _below(tiers: list[Tier], index: Index, held: Behind, candidates: int) -> Iterator[Behind]:
    yield held
    if held.tier + 1 == len(tiers):
        return
    tier = tiers[held.tier + 1]
    nodes = len(held.starts) - 1
    low, high = np.searchsorted(tier.parent, (held.first, held.first + nodes))
    looked_up = np.diff(held.starts)[tier.parent[low:high] - held.first]
    for first, end in _slices(looked_up, candidates):
        children = _children(tier, index, held, int(low) + first, int(low) + end)
        if len(children.baskets):
            yield from _below(tiers, index, children, candidates)


def _children(tier: Tier, index: Index, held: Behind, first: int, end: int) -> Behind:
    """Nodes first..end - 1 of `tier`, the parents of which are all among `held`."""
    parent = tier.parent[first:end] - held.first
    sizes = np.diff(held.starts)[parent]
    child = np.repeat(np.arange(end - first), sizes)
    at = _ragged(held.starts[parent], sizes)
    wanted = tier.item[first:end].astype(np.int64)[child] * index.n_baskets + held.baskets[at]
    place = np.minimum(np.searchsorted(index.keys, wanted), len(index.keys) - 1)
    is_there = (index.keys[place] == wanted) & index.is_kept[place] & held.goes_on[at]
    is_absent = tier.is_absent[first:end][child]
    hits = np.flatnonzero(is_there != is_absent)
    money = np.where(is_absent[hits], 0, index.money[place[hits]])
    counts = np.bincount(child[hits], minlength=end - first)
    everywhere = np.ones(len(hits), np.bool_)
    return Behind(
        held.tier + 1,
        first,
        _starts(counts),
        held.baskets[at[hits]],
        held.spent[at[hits]] + money,
        everywhere,
    )


def _slices(work: NDArray[np.integer], most: int) -> Iterator[tuple[int, int]]:
    """Neighbours whose work adds up to at most `most`, or single ones with more."""
    done = _starts(work)
    first = 0
    while first < len(work):
        end = max(first + 1, int(np.searchsorted(done, done[first] + most, side="right")) - 1)
        yield first, end
        first = end


def _starts(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def _ragged(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Positions starts[i] .. starts[i] + sizes[i] - 1 of every i, one after another."""
    offsets = starts.astype(np.int64) - (np.cumsum(sizes, dtype=np.int64) - sizes)
    return np.arange(int(sizes.sum()), dtype=np.int64) + np.repeat(offsets, sizes)
