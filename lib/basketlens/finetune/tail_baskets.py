"""Synthetic baskets of rarely bought items: the item, and partners drawn from what it and its like are bought with."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.finetune.sampling import Numbers

_CELLS: Final = 1 << 22  # cosines at once: bounds the memory


class TailOptions(NamedTuple):
    """Which baskets are made."""

    per_purchase: float  # baskets for each real one of a tail item, 0 = none
    low: int  # fewest training purchases of a tail item
    high: int  # and most
    partners: int  # drawn for a basket; one that is drawn twice is there once
    alike: int  # items with the nearest names that lend their partners
    prior: float  # co-purchases that what is lent counts for


class TailBaskets(NamedTuple):
    """Baskets (b, n) of one tail item each."""

    held: sparse.csr_array  # float32, 1 = the basket holds the item
    item: Numbers  # (b,) whose basket it is

    def counts(self) -> sparse.csr_array:
        """Baskets of a tail item that hold the other (n, n) float32, symmetric.

        Partners are drawn one by one, so that two of them in one basket say nothing of each other.
        """
        b, n = self.held.shape
        partners = self.held.copy()  # zeros below must not reach the baskets themselves
        partners.data[partners.indices == np.repeat(self.item, np.diff(partners.indptr))] = 0
        partners.eliminate_zeros()
        is_item = sparse.csr_array((np.ones(b, np.float32), (np.arange(b), self.item)), shape=(b, n))
        one_way = is_item.T @ partners
        return sparse.csr_array(one_way + one_way.T)


def tail_baskets(
    vectors: npt.NDArray[np.float32],
    counts: sparse.csr_array,
    purchases: Numbers,
    options: TailOptions,
    *,
    seed: int,
) -> TailBaskets:
    """Draw baskets for every tail item that was bought with another.

    A partner j of item i is drawn by (n_ij + prior m_ij) / (n_i + prior), n_i all of i's co-purchases and m_ij the mean
    share n_kj / n_k over the `alike` items k of the nearest names.  Nothing but training counts is read: an item that was
    not bought in training is no partner.

    Args:
        vectors: (n, d), of L2 norm 1.
        counts: (n, n) training baskets that hold both, nothing on the diagonal.
        purchases: (n,) training baskets that hold each item.
        options: which baskets.
        seed: of all draws.
    """
    n, draw = len(purchases), np.random.default_rng(seed)
    has_partners = np.diff(counts.indptr) > 0
    is_tail = (purchases >= options.low) & (purchases <= options.high) & has_partners
    items = np.repeat(
        np.flatnonzero(is_tail), np.rint(options.per_purchase * purchases[is_tail]).astype(np.int64)
    )
    drawn = np.empty((len(items), options.partners), dtype=np.int64)
    for item, columns, chances in _partners(vectors, counts, np.unique(items), has_partners, options):
        first, last = np.searchsorted(items, [item, item + 1])
        upto = np.cumsum(chances)
        at = np.searchsorted(upto, draw.random((last - first, options.partners)) * upto[-1], side="right")
        drawn[first:last] = columns[np.minimum(at, len(columns) - 1)]
    rows = np.repeat(np.arange(len(items)), options.partners + 1)
    members = np.column_stack([items, drawn]).ravel()
    held = sparse.csr_array((np.ones(len(rows), np.float32), (rows, members)), shape=(len(items), n))
    held.sum_duplicates()
    held.data[:] = 1
    return TailBaskets(held, items)


def _partners(
    vectors: npt.NDArray[np.float32],
    counts: sparse.csr_array,
    items: Numbers,
    has_partners: npt.NDArray[np.bool_],
    options: TailOptions,
) -> Iterator[tuple[int, Numbers, npt.NDArray[np.float64]]]:
    """For each of the items, ascending: its possible partners and their chances, up to a factor; it is none itself."""
    totals = np.maximum(counts.sum(axis=1, dtype=np.float64), 1)
    shares = sparse.csr_array(sparse.diags_array(1 / totals) @ counts)
    lenders = np.flatnonzero(has_partners)
    step = max(1, _CELLS // max(len(lenders), 1))
    for start in range(0, len(items), step):
        block = items[start : start + step]
        near = _nearest(vectors, block, lenders, options.alike)  # (r, n), rows sum to 1
        weighed = sparse.csr_array(counts[block] + options.prior * (near @ shares))
        weighed.sort_indices()
        for row, item in enumerate(block):
            at = slice(weighed.indptr[row], weighed.indptr[row + 1])
            columns, chances = weighed.indices[at], weighed.data[at].astype(np.float64)
            chances[columns == item] = 0
            yield int(item), columns.astype(np.int64), chances


def _nearest(
    vectors: npt.NDArray[np.float32], block: Numbers, lenders: Numbers, most: int
) -> sparse.csr_array:
    """Mean over the lenders of the nearest names, as a matrix (r, n); equally near ones by number."""
    most = min(most, len(lenders) - 1)
    if not most:
        return sparse.csr_array(sparse.coo_array((len(block), len(vectors)), dtype=np.float32))
    cosine = vectors[block] @ vectors[lenders].T
    cosine[block[:, None] == lenders[None, :]] = -np.inf
    least = np.partition(cosine, -most, axis=1)[:, -most]
    chosen = np.empty((len(block), most), dtype=np.int64)
    for row, near, bound in zip(chosen, cosine, least, strict=True):
        enough = np.flatnonzero(near >= bound)
        row[:] = enough[np.argsort(-near[enough], kind="stable")[:most]]
    rows = np.repeat(np.arange(len(block)), most)
    weights = np.full(len(rows), 1 / most, dtype=np.float32)
    return sparse.csr_array((weights, (rows, lenders[chosen].ravel())), shape=(len(block), len(vectors)))
