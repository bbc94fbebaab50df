"""What the baskets behind each query add up to, over all blocks of one shard."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from basketlens.mine.tree import NONE, Queries, tree_of
from basketlens.mine.walk import CANDIDATES, Behind, index_of, walk


class Shoppings(NamedTuple):
    """Some baskets with what is known of them, all mined or all held out."""

    codes: NDArray[np.int32]  # (entries,), ascending within a basket
    starts: NDArray[np.int64]  # (baskets + 1,), every basket has an entry
    money: NDArray[np.int64]  # (entries,), paid for the item, in 1 / facts.MONEY_UNITS
    total: NDArray[np.int64]  # (baskets,), paid for everything
    customer: NDArray[np.int64]  # (baskets,), ascending; NONE = unknown
    stratum: NDArray[np.int32]  # (baskets,), NONE = none


class Strata(NamedTuple):
    """Baskets behind a query in one stratum, in one chunk: the same pair may come again."""

    query: NDArray[np.int64]
    stratum: NDArray[np.int32]
    baskets: NDArray[np.int64]


class Tally:
    """Running sums of every query: 48 bytes each, and the tree some 60.

    A customer's baskets must come one after another; they may lie in several blocks.
    """

    def __init__(
        self, queries: Queries, *, n_items: int, max_items: int, candidates: int = CANDIDATES
    ) -> None:
        """Build the tree.  `max_items` as in `walk.index_of`."""
        self._tiers = tree_of(queries, n_items=n_items)
        self._max_items, self._candidates = max_items, candidates
        empty = np.zeros(len(queries.absent), np.int64)
        self.count = empty.copy()  # mined baskets
        self.customers = empty.copy()  # distinct among them
        self.total = empty.copy()  # paid in these baskets
        self.spent = empty.copy()  # paid in them for the query's own items
        self.held_out = empty.copy()  # held-out baskets
        self._last = empty + NONE  # the last customer that each query has counted

    def add_held_out(self, block: Shoppings) -> None:
        """Count baskets that were not mined."""
        for behind, query, nodes in self._found(block):
            self.held_out[query] += np.diff(behind.starts)[nodes]

    def add(self, block: Shoppings) -> Iterator[Strata]:
        """Add mined baskets; yields their counts per stratum where they have one."""
        has_strata = bool(len(block.stratum)) and block.stratum[0] != NONE
        for behind, query, nodes in self._found(block):
            low, high = behind.starts[:-1][nodes], behind.starts[1:][nodes]
            self.count[query] += high - low
            self.total[query] += _sums(block.total[behind.baskets], low, high)
            self.spent[query] += _sums(behind.spent, low, high)
            self._add_customers(block.customer[behind.baskets], query, low, high)
            if has_strata:
                yield _per_stratum(block.stratum[behind.baskets], behind, query, nodes)

    def _found(self, block: Shoppings) -> Iterator[tuple[Behind, NDArray[np.int64], NDArray[np.int64]]]:
        """Chunks of nodes, the queries that have baskets and end in them, and at which of the nodes."""
        index = index_of(block.codes, block.starts, block.money, max_items=self._max_items)
        for behind in walk(self._tiers, index, candidates=self._candidates):
            query = self._tiers[behind.tier].query[behind.first : behind.first + len(behind.starts) - 1]
            nodes = np.flatnonzero((query != NONE) & (np.diff(behind.starts) > 0))
            yield behind, query[nodes], nodes

    def _add_customers(
        self,
        customer: NDArray[np.int64],
        query: NDArray[np.int64],
        low: NDArray[np.int64],
        high: NDArray[np.int64],
    ) -> None:
        """Customers ascend within a node, so each is counted where it differs from the entry before."""
        before = np.empty_like(customer)
        before[1:] = customer[:-1]
        before[low] = self._last[query]
        self.customers[query] += _sums(
            ((customer != before) & (customer != NONE)).astype(np.int64), low, high
        )
        self._last[query] = customer[high - 1]


def _sums(values: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of values[low[i]:high[i]]."""
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    sums: NDArray[np.int64] = running[high] - running[low]
    return sums


def _per_stratum(
    stratum: NDArray[np.int32], behind: Behind, query: NDArray[np.int64], nodes: NDArray[np.int64]
) -> Strata:
    sizes = np.diff(behind.starts)
    node = np.repeat(np.arange(len(sizes)), sizes)
    place = np.full(len(sizes), NONE, np.int64)
    place[nodes] = query
    width = int(stratum.max(initial=0)) + 1
    keys, count = np.unique(place[node] * width + stratum, return_counts=True)
    keys, count = keys[keys >= 0], count[keys >= 0]
    return Strata(keys // width, (keys % width).astype(np.int32), count.astype(np.int64))
