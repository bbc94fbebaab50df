"""How many baskets hold each pair of items: X'X on one block of baskets."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, triu

from basketlens.mine.blocks import Block

_PRODUCTS: Final = 1 << 24  # multiplications of one slice of X'X, so at most as many cells: 128 MiB


class PairCounts(NamedTuple):
    """Pairs a < b of item codes, each once, in no order."""

    a: NDArray[np.int32]
    b: NDArray[np.int32]
    baskets: NDArray[np.int64]  # baskets that hold both


def pair_counts(block: Block, *, n_items: int, min_count: int, products: int = _PRODUCTS) -> PairCounts:
    """Pairs in at least `min_count` baskets of the block.

    X is the 0/1 matrix of baskets and items; cell (a, b) of X'X counts the baskets that hold both.  X'X is
    computed in slices of items, each against the items from there on, and thresholded slice by slice.  A slice
    ends at `products` multiplications or after one item, so it holds at most max(products, n_items) cells of
    8 bytes whatever the size of a basket.  Counts are int32: a block has fewer than 2^31 baskets.

    Args:
        block: baskets with codes below `n_items`.
        n_items: width of X.
        min_count: baskets, 1 or more.
        products: multiplications of one slice.
    """
    sizes = np.diff(block.starts)
    ones = np.ones(len(block.codes), np.int32)  # int8 would wrap at 128 baskets
    x = csr_array((ones, block.codes, block.starts), shape=(len(sizes), n_items))
    xt = x.T.tocsr()  # (n_items, baskets)
    work = np.cumsum(xt @ sizes)  # (n_items,) int64, multiplications up to and including the item
    found: list[PairCounts] = []
    low = 0
    while low < n_items:
        done = work[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(work, done + products, side="right")))
        cells = (xt[low:high] @ x[:, low:]).tocoo()
        wanted = (cells.col > cells.row) & (cells.data >= min_count)
        a, b = ((at[wanted] + low).astype(np.int32) for at in (cells.row, cells.col))
        found.append(PairCounts(a, b, cells.data[wanted].astype(np.int64)))
        low = high
    if not found:
        return PairCounts(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64))
    return PairCounts(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


class WeightedCells:
    """The upper triangle of X'DX with its diagonal, added up block by block; D weighs the baskets.

    Slices of items hold at most 2^24 cells each while a block is added; what is kept takes 12 bytes for each pair that occurs.
    """

    def __init__(self, n_items: int) -> None:
        self._n = n_items
        self._step = max(1, _PRODUCTS // max(1, n_items))
        self._totals = [
            csr_array((min(self._step, n_items - low), n_items), dtype=np.int64)
            for low in range(0, n_items, self._step)
        ]

    def add(self, block: Block, weights: NDArray[np.int64]) -> None:
        """Add baskets (b,) with their weights (b,): whole numbers, so that the order of blocks changes nothing."""
        sizes = np.diff(block.starts)
        x = csr_array(
            (np.ones(len(block.codes), np.int64), block.codes, block.starts), shape=(len(sizes), self._n)
        )
        weighted = csr_array((np.repeat(weights, sizes), block.codes, block.starts), shape=x.shape).T.tocsr()
        for number, total in enumerate(self._totals):
            low = number * self._step
            self._totals[number] = total + triu(weighted[low : low + self._step] @ x, k=low, format="csr")

    def slices(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Rows a <= columns b, and the sums, slice by slice."""
        for number, total in enumerate(self._totals):
            cells = total.tocoo()
            yield cells.row.astype(np.int64) + number * self._step, cells.col.astype(np.int64), cells.data
