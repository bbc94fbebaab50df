"""Itemsets, and itemsets without one item, as one prefix tree in flat arrays."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

NONE: Final = -1


class Queries(NamedTuple):
    """What is asked of the baskets: those with all of some items, and perhaps without one more."""

    items: NDArray[np.int32]  # (codes,), of query i: items[starts[i]:starts[i + 1]], ascending, one or more
    starts: NDArray[np.int64]  # (queries + 1,)
    absent: NDArray[np.int32]  # (queries,), code of the item that the baskets must lack; NONE = any baskets


class Tier(NamedTuple):
    """All prefixes of one length.  A node's children are neighbours in the next tier."""

    parent: NDArray[np.int64]  # (nodes,), ascending, place in the tier above; 0 in the first
    item: NDArray[np.int32]  # (nodes,), code
    is_absent: NDArray[np.bool_]  # (nodes,), the baskets must lack the item; such a node has no children
    query: NDArray[np.int64]  # (nodes,), the query that ends here, or NONE


def tree_of(queries: Queries, *, n_items: int) -> list[Tier]:
    """The tree, tier by tier.

    It is walked fastest when codes ascend with frequency: a prefix of rare items has few baskets.

    Args:
        queries: each at most once.
        n_items: codes lie below.
    """
    sizes = np.diff(queries.starts)
    lengths = sizes + (queries.absent != NONE)
    node = np.zeros(len(sizes), np.int64)  # where each query's prefix is in the tier above
    tiers: list[Tier] = []
    for depth in range(int(lengths.max(initial=0))):
        live = np.flatnonzero(lengths > depth)
        is_absent = sizes[live] == depth
        place = np.where(is_absent, queries.starts[live], queries.starts[live] + depth)
        code = np.where(is_absent, queries.absent[live], queries.items[place])
        keys, node[live] = np.unique((node[live] * n_items + code) * 2 + is_absent, return_inverse=True)
        ends = live[lengths[live] == depth + 1]
        query = np.full(len(keys), NONE, np.int64)
        query[node[ends]] = ends
        prefix = keys // 2
        tiers.append(Tier(prefix // n_items, (prefix % n_items).astype(np.int32), keys % 2 == 1, query))
    return tiers
