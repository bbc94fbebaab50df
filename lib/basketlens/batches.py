"""Which names go through the model together."""

from collections.abc import Iterator, Sequence
from typing import Final

_ENOUGH: Final = 0.5  # of the budget: a batch this full is not filled up with shorter names


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of names, longest first, so that too large a batch fails early.

    Names of one length need neither padding nor mask.  Few of a length would make a small, slow batch, and take
    shorter ones along.

    Args:
        lengths: tokens of each name, 1 or more.
        budget: tokens of a batch, padding included; a longer name goes alone.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for i in order:
        if batch:
            longest = lengths[batch[0]]
            is_full = (len(batch) + 1) * longest > budget
            if is_full or (lengths[i] != longest and len(batch) * longest >= _ENOUGH * budget):
                yield batch
                batch = []
        batch.append(i)
    if batch:
        yield batch
