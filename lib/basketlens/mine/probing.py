"""How many itemsets a search would find, without the search: a bounded effort for each prefix item."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from basketlens.mine.bitmap import BITMAP_BYTES, Family, PrefixIndex, families
from basketlens.mine.blocks import Block

_COUNTED: Final = 10_000  # itemsets below one prefix that are counted before all are estimated
_BYTES_AT_ONCE: Final = (
    1 << 16
)  # bitmaps that counting makes at once: little is done in vain beyond `_COUNTED`
_PROBES: Final = 400  # random walks for a prefix with more
_TOWARD_MANY: Final = 3  # walks take an item by the cube of how many come after it; see `_probe`


class Estimate(NamedTuple):
    """Itemsets of three or more that start with each prefix, where there are any."""

    codes: NDArray[np.int32]  # (prefixes,)
    sets: NDArray[np.float64]  # (prefixes,), whole where they were counted


def expected_itemsets(
    block: Block,
    is_prefix: NDArray[np.bool_],
    *,
    min_count: int,
    max_size: int,
    bitmap_bytes: int = BITMAP_BYTES,
) -> Estimate:
    """Itemsets of size 3 to `max_size` below each prefix: exact up to 10,000, beyond that an unbiased estimate.

    The random walks of a prefix depend on its code and `min_count` alone: the same data gives the same estimate
    whatever the partitions.

    Args:
        block: baskets with ascending codes.
        is_prefix: (n_items,), as in `bitmap.itemsets`.
        min_count: baskets, 1 or more.
        max_size: items, 3 or more.
        bitmap_bytes: as in `bitmap.itemsets`: a prefix with more is split by its next item.
    """
    index = PrefixIndex(block)
    codes: list[int] = []
    sets: list[float] = []
    for prefix in index.prefixes(is_prefix):
        tails = index.tails(prefix, min_count=min_count)
        if len(tails.codes) < 2:  # noqa: PLR2004 - no third item
            continue
        if tails.bitmap_bytes > bitmap_bytes:
            below = _split(tails.as_block(), len(is_prefix), min_count, max_size, bitmap_bytes)
        else:
            walks = np.random.default_rng([prefix, min_count])
            below = _sets_below(tails.as_family((prefix,)), min_count, max_size - 2, walks)
        if below:
            codes.append(prefix)
            sets.append(below)
    return Estimate(np.array(codes, np.int32), np.array(sets, np.float64))


def _split(block: Block, n_items: int, min_count: int, max_size: int, bitmap_bytes: int) -> float:
    """Sets below a prefix whose baskets are the block: its triples, and what is below each of its pairs."""
    index, everything = PrefixIndex(block), np.ones(n_items, np.bool_)
    triples = sum(len(index.tails(item, min_count=min_count).codes) for item in index.prefixes(everything))
    if max_size == 3:  # noqa: PLR2004 - nothing beyond triples
        return float(triples)
    deeper = expected_itemsets(
        block, everything, min_count=min_count, max_size=max_size - 1, bitmap_bytes=bitmap_bytes
    )
    return float(triples + deeper.sets.sum())


def _sets_below(family: Family, min_count: int, room: int, walks: np.random.Generator) -> float:
    """Sets with up to `room` items more than the family's."""
    counted = 0
    for born in families(family, min_count=min_count, room=room, family_bytes=_BYTES_AT_ONCE):
        counted += len(born.counts)
        if counted > _COUNTED:
            return sum(_probe(family, min_count, room, walks) for _ in range(_PROBES)) / _PROBES
    return float(counted)


def _probe(family: Family, min_count: int, room: int, walks: np.random.Generator) -> float:
    """One random walk down the search tree; its expectation is the number of sets.

    The sets found at each step count as often as the step was improbable.  An item with many later partners
    has the larger subtree, so walks go there more often: by the cube, which of the powers 0 to 4 had the smallest
    spread on real receipts.

    Source: Knuth 1975, "Estimating the Efficiency of Backtrack Programs".
    """
    expected, weight, maps = 0.0, 1.0, family.maps
    while room and len(maps) > 1:
        later = np.arange(len(maps) - 1, 0, -1, dtype=np.float64)
        chances = np.cumsum(later**_TOWARD_MANY)
        at = int(np.searchsorted(chances, walks.random() * chances[-1], side="right"))
        weight *= chances[-1] / later[at] ** _TOWARD_MANY
        together = maps[at] & maps[at + 1 :]
        maps = together[np.bitwise_count(together).sum(axis=1, dtype=np.int64) >= min_count]
        expected += weight * len(maps)
        room -= 1
    return expected


def sampled_prefixes(n_items: int, share: float) -> NDArray[np.bool_]:
    """A fixed pseudo-random choice of about `share` of the items, (n_items,)."""
    mixed = (np.arange(n_items, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return np.asarray(mixed < share * (1 << 24))


def ladder(min_count: int, *, steps: int) -> Sequence[int]:
    """Counts from `min_count` up, each a quarter more than the one before, rounded up."""
    rungs = [min_count]
    while len(rungs) < steps:
        rungs.append(-(-rungs[-1] * 5 // 4))
    return rungs
