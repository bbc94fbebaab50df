"""Training, validation and test by days; new products; how well an item is known."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from basketlens.errors import InputError
from basketlens.shopping import Baskets, purchases_of

WARM: Final = 21  # training purchases from which an item counts as well known
TAIL: Final = 5  # and from which it counts as known at all; fewer are cold

Mask = npt.NDArray[np.bool_]


class Cuts(NamedTuple):
    """Where the parts begin, days since 1970-01-01; training is everything before validation."""

    validation: int
    test: int

    @classmethod
    def before_end(cls, days: npt.NDArray[np.int32], *, validation_days: int, test_days: int) -> Self:
        """The last `test_days` of all baskets are the test, the `validation_days` before them validation."""
        test = int(days.max()) + 1 - test_days
        return cls(test - validation_days, test)


class Split(NamedTuple):
    """The parts, over the same n items; validation and test hold new products, training does not."""

    train: Baskets
    validation: Baskets
    test: Baskets
    is_new: Mask  # (n,) removed from training, to stand for products to come
    purchases: npt.NDArray[np.int64]  # (n,) training baskets that hold each item


def split_by_days(baskets: Baskets, cuts: Cuts, *, new_share: float, seed: int) -> Split:
    """Cut the baskets by day and take new products out of training.

    Args:
        baskets: all of them.
        cuts: first days of validation and of test.
        new_share: 0..1, share of all items that is drawn as new products.
        seed: which ones are.

    Raises:
        InputError: a part has no baskets.
    """
    days = baskets.days
    masks = {
        "training": days < cuts.validation,
        "validation": (days >= cuts.validation) & (days < cuts.test),
        "test": days >= cuts.test,
    }
    if empty := [name for name, mask in masks.items() if not mask.any()]:
        span = f"days {days.min()} to {days.max()}" if len(days) else "none"
        raise InputError(
            f"No baskets for {' and '.join(empty)}: there are {len(days):,} baskets ({span}),"
            f" validation begins on day {cuts.validation}, test on day {cuts.test} (days since 1970-01-01).\n"
            "  Shorten validation and test, or give receipts of a longer time."
        )
    n = baskets.held.shape[1]
    is_new = np.zeros(n, bool)
    is_new[np.random.default_rng(seed).permutation(n)[: round(new_share * n)]] = True
    train, validation, test = (_part(baskets, mask) for mask in masks.values())
    train = _without(train, is_new)
    return Split(train, validation, test, is_new, purchases_of(train))


def item_classes(split: Split) -> Mapping[str, Mask]:
    """Which items are warm, tail, cold or new, (n,) each; new ones are cold as well."""
    return {
        "warm": split.purchases >= WARM,
        "tail": (split.purchases >= TAIL) & (split.purchases < WARM),
        "cold": split.purchases < TAIL,
        "new": split.is_new,
    }


def _part(baskets: Baskets, mask: Mask) -> Baskets:
    return Baskets(baskets.held[mask], baskets.customers[mask], baskets.days[mask])


def _without(baskets: Baskets, is_new: Mask) -> Baskets:
    """The baskets without these items; those that hold nothing else are left out."""
    held = baskets.held.copy()
    held.data[is_new[held.indices]] = 0
    held.eliminate_zeros()
    return _part(baskets._replace(held=held), np.diff(held.indptr) > 0)
