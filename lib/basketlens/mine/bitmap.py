"""Frequent itemsets depth first on bitmaps: one bit a basket, so that an itemset's count is a population count."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from basketlens.mine.blocks import Block, ragged

BITMAP_BYTES: Final = 1 << 24  # bitmaps of one prefix; eight times that while they are packed
FAMILY_BYTES: Final = 1 << 22  # bitmaps that are made at once; about four times that with their parts


class Found(NamedTuple):
    """Itemsets of one size."""

    items: NDArray[np.int32]  # (sets, size), ascending in each row
    counts: NDArray[np.int64]  # (sets,), baskets that hold the whole set


class Family(NamedTuple):
    """Frequent itemsets of one size with their bitmaps: those that differ in the last item stand together."""

    items: NDArray[np.int32]  # (sets, size), ascending in each row, rows in lexical order
    counts: NDArray[np.int64]  # (sets,)
    maps: NDArray[np.uint64]  # (sets, words), bit = one of the prefix's baskets
    starts: NDArray[np.int64]  # (siblings + 1,): sets that share all items but the last

    def later_siblings(self) -> NDArray[np.int64]:
        """How many sets follow each among its siblings, (sets,): with each of them it may make a larger set."""
        return np.repeat(self.starts[1:], np.diff(self.starts)) - np.arange(len(self.counts)) - 1

    def children(self, sets: NDArray[np.int64], later: NDArray[np.int64], *, min_count: int) -> "Family":
        """The frequent sets of one item more that some of the sets make with their `later` siblings."""
        left = np.repeat(sets, later)
        right = ragged(sets + 1, later)
        maps = self.maps[left] & self.maps[right]
        counts = np.bitwise_count(maps).sum(axis=1, dtype=np.int64)
        stays = np.flatnonzero(counts >= min_count)
        left, right = left[stays], right[stays]
        items = np.concatenate([self.items[left], self.items[right, -1:]], axis=1)
        edges = np.flatnonzero(np.diff(left)) + 1
        starts = np.concatenate([[0], edges, [len(left)]]) if len(left) else np.zeros(1, np.int64)
        return Family(items, counts[stays], maps[stays], starts)


def itemsets(
    block: Block,
    is_prefix: NDArray[np.bool_],
    *,
    min_count: int,
    min_size: int,
    max_size: int,
    head: tuple[int, ...] = (),
    bitmap_bytes: int = BITMAP_BYTES,
) -> Iterator[Found]:
    """Itemsets of `min_size` to `max_size` items in `min_count` or more baskets of the block, each once.

    The search follows each set's items from the smallest code up.  With codes that ascend with frequency a
    prefix is rare and its baskets few.  A prefix whose bitmaps are larger than `bitmap_bytes` is split by its
    next item instead: its baskets become a block of their own, so memory is that of the blocks (12 bytes an
    entry, each level of the split at most the size of the one above), of one prefix's bitmaps, and of `families`.

    Args:
        block: baskets with ascending codes; all of them hold `head`.
        is_prefix: (n_items,), the codes whose sets are wanted: those where it is the set's smallest, after `head`.
        min_count: baskets, 1 or more.
        min_size: items, more than `head` holds by 2 or more.
        max_size: items, at least `min_size`.
        head: items that every set starts with.
        bitmap_bytes: of one prefix's bitmaps.

    Source: the vertical layout of Zaki 2000, "Scalable Algorithms for Association Mining" (Eclat), with the bitmaps
    of Burdick et al. 2001, "MAFIA".
    """
    index = PrefixIndex(block)
    for prefix in index.prefixes(is_prefix):
        tails = index.tails(prefix, min_count=min_count)
        grown = (*head, prefix)
        if len(grown) + 1 >= min_size and len(tails.codes):
            yield Found(tails.sets(grown), tails.counts)
        if len(grown) + 2 > max_size or len(tails.codes) < 2:  # noqa: PLR2004 - two partners to go on
            continue
        if tails.bitmap_bytes > bitmap_bytes:
            yield from itemsets(
                tails.as_block(), np.ones(len(is_prefix), np.bool_), min_count=min_count, min_size=min_size,
                max_size=max_size, head=grown, bitmap_bytes=bitmap_bytes,
            )  # fmt: skip
        else:
            found = families(tails.as_family(grown), min_count=min_count, room=max_size - len(grown) - 1)
            yield from (Found(f.items, f.counts) for f in found if f.items.shape[1] >= min_size)


def families(
    family: Family, *, min_count: int, room: int, family_bytes: int = FAMILY_BYTES
) -> Iterator[Family]:
    """All frequent sets larger than a family's, by up to `room` items; memory is `room` times `family_bytes`.

    Children are made of as many sets at once as `family_bytes` hold, so that few calls of numpy do the work of
    many small sets, and all their descendants before the next.
    """
    later = family.later_siblings()
    parents = np.flatnonzero(later)
    later = later[parents]
    before = np.cumsum(later) * (family.maps.shape[1] * 8)  # bytes of the children up to and with each parent
    low = 0
    while low < len(parents):
        done = before[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(before, done + family_bytes, side="right")))
        born = family.children(parents[low:high], later[low:high], min_count=min_count)
        if len(born.counts):
            yield born
            if room > 1:
                yield from families(born, min_count=min_count, room=room - 1, family_bytes=family_bytes)
        low = high


class Tails(NamedTuple):
    """What follows one prefix in the baskets that hold it, cut down to its frequent partners."""

    codes: NDArray[np.int32]  # (k,), the partners, ascending
    counts: NDArray[np.int64]  # (k,)
    rows: NDArray[np.int64]  # (entries,), ascending: which of the prefix's baskets
    places: NDArray[np.int64]  # (entries,), which partner
    baskets: int  # that hold the prefix

    @property
    def bitmap_bytes(self) -> int:
        """Bytes of the branch's bitmaps."""
        return len(self.codes) * _words(self.baskets) * 8

    def sets(self, head: tuple[int, ...]) -> NDArray[np.int32]:
        """`head` with each partner, (k, size)."""
        items = np.empty((len(self.codes), len(head) + 1), np.int32)
        items[:, :-1] = head
        items[:, -1] = self.codes
        return items

    def as_family(self, head: tuple[int, ...]) -> Family:
        """The partners as bitmaps over the baskets that hold `head`."""
        bits = np.zeros((len(self.codes), _words(self.baskets) * 64), np.bool_)
        bits[self.places, self.rows] = True
        maps = np.packbits(bits, axis=1).view(np.uint64)
        return Family(self.sets(head), self.counts, maps, np.array([0, len(self.codes)]))

    def as_block(self) -> Block:
        """The prefix's baskets without the prefix."""
        sizes = np.bincount(self.rows, minlength=self.baskets)
        return Block(self.codes[self.places], np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]))


class PrefixIndex:
    """Where each item is in a block: 16 bytes an entry."""

    def __init__(self, block: Block) -> None:
        self._codes = block.codes
        self._ends = np.repeat(block.starts[1:], np.diff(block.starts))  # (entries,), where the basket ends
        self._by_code = np.argsort(block.codes, kind="stable")
        self._present, self._first = np.unique(block.codes[self._by_code], return_index=True)
        self._first = np.append(self._first, len(block.codes))

    def prefixes(self, is_prefix: NDArray[np.bool_]) -> Iterator[int]:
        """The wanted codes that are in the block, ascending."""
        return (int(code) for code in self._present[is_prefix[self._present]])

    def tails(self, prefix: int, *, min_count: int) -> Tails:
        """The later items of the baskets that hold the prefix, those in `min_count` of them or more."""
        at = int(np.searchsorted(self._present, prefix))
        places = self._by_code[self._first[at] : self._first[at + 1]]  # of the prefix, one a basket
        sizes = self._ends[places] - places - 1
        after = self._codes[ragged(places + 1, sizes)]
        counts = np.bincount(after - prefix)  # codes after the prefix are larger: never negative
        is_partner = counts >= min_count
        partners = np.flatnonzero(is_partner)
        stays = is_partner[after - prefix]
        rows = np.repeat(np.arange(len(places)), sizes)[stays]
        number = np.cumsum(is_partner) - 1
        return Tails(
            (partners + prefix).astype(np.int32),
            counts[partners],
            rows,
            number[after[stays] - prefix],
            len(places),
        )


def _words(baskets: int) -> int:
    return -(-baskets // 64)
