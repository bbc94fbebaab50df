"""What training sees beside its data: further names of items, and baskets of items that were rarely bought."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.errors import InputError
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
    synthetic: int  # of the b baskets, the last ones

    def facts(self) -> dict[str, int]:
        """How much there is to see beside the data."""
        names = len(self.further.vectors) if self.further else 0
        return {"further_names": names, "synthetic_baskets": self.synthetic}

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

    Raises:
        InputError: it is not.
    """
    further = FurtherNames.of(items.names, purchases > 0, options.names, options.share, encoder, seed=seed)
    if further and further.vectors.shape[1] != items.vectors.shape[1]:
        raise InputError(
            f"Further names have vectors of {further.vectors.shape[1]} numbers, the embeddings {items.vectors.shape[1]}:"
            " they are of two encoders.\n"
            "  Next: run embed again with embed.model as it is set, or finetune.augment.replace=0, drop=0 and shuffle=0"
        )
    if not options.tail.per_purchase:
        return Augmented(counts, held, further, 0)
    made = tail_baskets(items.vectors, counts, purchases, options.tail, seed=seed)
    more = sparse.csr_array(counts + made.counts())
    more.sort_indices()
    both = sparse.csr_array(sparse.vstack([held, made.held]))
    return Augmented(more, both, further, len(made.item))
