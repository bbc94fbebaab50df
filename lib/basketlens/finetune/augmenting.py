"""What training sees beside its data: further names of items, and baskets of items that were rarely bought."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.further_names import FurtherNames
from basketlens.finetune.name_variants import NameOptions
from basketlens.finetune.sampling import Numbers
from basketlens.finetune.tail_baskets import TailOptions, tail_baskets
from basketlens.shopping import Items


class AugmentOptions(NamedTuple):
    """All of it."""

    names: NameOptions
    share: float  # 0..1, of the items of a step that are read by a further name
    tail: TailOptions


class Augmented(NamedTuple):
    """What to train on; how often an item was bought stays what it was."""

    counts: sparse.csr_array  # (n, n), for attention of items
    held: sparse.csr_array  # (b, n), for attention of baskets
    further: FurtherNames | None

    def data(self) -> tuple[npt.NDArray[np.generic], ...]:
        """All that follows from the baskets and from chance; a checkpoint belongs to it."""
        names = (self.further.vectors, self.further.at) if self.further else ()
        return (self.held.indices, self.held.indptr, *names)


def augmented(
    items: Items,
    held: sparse.csr_array,
    counts: sparse.csr_array,
    purchases: Numbers,
    options: AugmentOptions,
    encoder: Callable[[], NameEncoder],
    *,
    seed: int,
) -> Augmented:
    """The training baskets (b, n) and their counts (n, n) with what the options add; with all off, they themselves.

    `encoder` is that of the items' vectors, asked for only where further names are made.
    """
    further = FurtherNames.of(items.names, purchases > 0, options.names, options.share, encoder, seed=seed)
    if not options.tail.per_purchase:
        return Augmented(counts, held, further)
    made = tail_baskets(items.vectors, counts, purchases, options.tail, seed=seed)
    more = sparse.csr_array(counts + made.counts())
    more.sort_indices()
    return Augmented(more, sparse.csr_array(sparse.vstack([held, made.held])), further)
