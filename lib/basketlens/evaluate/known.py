"""What training knows, in the form that all methods compute on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.evaluate.split import TAIL, Mask, Split
from basketlens.shopping import Items, copurchases

Floats = npt.NDArray[np.float32]


class Known(NamedTuple):
    """Training baskets counted, over n items."""

    vectors: Floats  # (n, d), embeddings as they came
    counts: sparse.csr_array  # (n, n) float32, baskets that hold both
    totals: npt.NDArray[np.float64]  # (n,) sum of an item's counts
    purchases: npt.NDArray[np.int64]  # (n,) baskets that hold the item
    baskets: int

    @property
    def is_cold(self) -> Mask:
        """Items that counts say too little about (n,)."""
        return self.purchases < TAIL

    @property
    def popularity(self) -> Floats:
        """Share of baskets that hold the item (n,); 0 for items never sold."""
        return (self.purchases / self.baskets).astype(np.float32)

    @property
    def expected_popularity(self) -> npt.NDArray[np.float64]:
        """Popularity to divide by (n,), above 0: of cold items, whose own is noise, the mean of the others.

        With their own, or a floor below all others, cold items would be lifted above everything that is known.
        """
        popularity, is_cold = self.purchases / self.baskets, self.is_cold
        of_cold = popularity[~is_cold].mean() if not is_cold.all() else 1.0
        return np.asarray(np.where(is_cold, of_cold, popularity), np.float64)


def known_from(items: Items, split: Split) -> Known:
    """Count the training baskets."""
    counts = copurchases(split.train)
    totals = np.asarray(counts.sum(axis=1), np.float64)
    return Known(items.vectors, counts, totals, split.purchases, split.train.held.shape[0])
