"""What is asked of every method: baskets with one item hidden, and items whose held-out partners are known."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.errors import InputError
from basketlens.evaluate.split import Mask
from basketlens.fisher import cells_of, log10_p
from basketlens.shopping import Baskets, copurchases, purchases_of

BASKETS: Final = "baskets"  # task A: complete a basket
PAIRS: Final = "pairs"  # task B: from one item to its partners
MIN_ITEMS: Final = 4  # of a basket that is to be completed: three stay visible
MIN_TOGETHER: Final = 3  # held-out baskets that hold both partners
LOG10_P: Final = -3.0  # one-sided p-value of a partner pair is below 10^-3


class Queries(NamedTuple):
    """What a method sees of q queries over n items."""

    visible: sparse.csr_array  # (q, n) float32, 1 = the query holds the item
    customers: npt.NDArray[np.int64]  # (q,), -1 = not known


class Task(NamedTuple):
    """Queries and the items to be found among all that are not visible."""

    name: str  # BASKETS or PAIRS
    part: str  # validation or test
    queries: Queries
    targets: sparse.csr_array  # (q, n) float32, t entries in all; every query has one at least
    classes: Mapping[str, Mask]  # (t,) each, of the targets in the order of their rows


def basket_completion(
    baskets: Baskets,
    train: Baskets,
    classes: Mapping[str, Mask],
    *,
    part: str,
    max_queries: int,
    seed: int,
) -> Task:
    """Hide one item, drawn by seed, of every basket of four items or more.

    The classes `repeat` and `explore` say whether the customer had bought the hidden item in training; they cover
    customers that training knows.

    Args:
        baskets: of the part.
        train: baskets of training.
        classes: (n,) each, of the items.
        part: validation or test.
        max_queries: of more baskets than these, so many are drawn by seed.
        seed: of both draws.

    Raises:
        InputError: no basket is large enough.
    """
    draw = np.random.default_rng(seed)
    rows = _at_most(np.flatnonzero(np.diff(baskets.held.indptr) >= MIN_ITEMS), max_queries, draw)
    if not len(rows):
        raise InputError(
            f"None of the {baskets.held.shape[0]:,} baskets of {part} has {MIN_ITEMS} items, so none can be completed.\n"
            f"  Lengthen the days of {part}."
        )
    held, customers = baskets.held[rows], baskets.customers[rows]
    hidden_at = held.indptr[:-1] + draw.integers(0, np.diff(held.indptr))
    hidden = held.indices[hidden_at]
    visible = held.copy()
    visible.data[hidden_at] = 0
    visible.eliminate_zeros()
    ones = np.ones(len(rows), np.float32)
    targets = sparse.csr_array((ones, hidden, np.arange(len(rows) + 1)), shape=held.shape)

    is_known, had_bought = (
        np.isin(customers, train.customers[train.customers >= 0]),
        np.zeros(len(rows), bool),
    )
    width = held.shape[1]
    of_baskets = np.repeat(train.customers, np.diff(train.held.indptr))
    bought = np.unique(of_baskets[of_baskets >= 0] * width + train.held.indices[of_baskets >= 0])
    had_bought[is_known] = np.isin(customers[is_known] * width + hidden[is_known], bought)
    by_class = {name: mask[hidden] for name, mask in classes.items()}
    by_class |= {"repeat": had_bought, "explore": is_known & ~had_bought}
    return Task(BASKETS, part, Queries(visible, customers), targets, by_class)


def partner_search(
    baskets: Baskets, classes: Mapping[str, Mask], *, part: str, max_queries: int, seed: int
) -> Task:
    """Every item that has partners in these baskets asks for all of them.

    Partners are bought together in three baskets or more, more often than chance (lift above 1), and with a
    one-sided p-value below 10^-3 (hypergeometric).  A pair is asked for from both sides.

    Raises:
        InputError: there is no such pair.
    """
    counts, n_each, n = copurchases(baskets), purchases_of(baskets), baskets.held.shape[0]
    pairs = sparse.triu(counts, k=1).tocoo()
    is_enough = pairs.data >= MIN_TOGETHER
    i, j, both = pairs.row[is_enough], pairs.col[is_enough], pairs.data[is_enough]
    is_lifted = both * float(n) > n_each[i] * n_each[j].astype(np.float64)
    i, j, both = i[is_lifted], j[is_lifted], both[is_lifted]
    is_partner = log10_p(cells_of(both, n_each[i], n_each[j], n)) < LOG10_P
    i, j = i[is_partner], j[is_partner]
    if not is_partner.any():
        raise InputError(
            f"No two items are partners in the {n:,} baskets of {part}: none is bought together in {MIN_TOGETHER} baskets"
            f" and beyond chance (p < 10^{LOG10_P:.0f}).\n  Lengthen the days of {part}."
        )
    asked, found = np.concatenate([i, j]), np.concatenate([j, i])
    partners = sparse.csr_array((np.ones(len(asked), np.float32), (asked, found)), shape=counts.shape)
    items = np.flatnonzero(np.diff(partners.indptr))
    items = _at_most(items, max_queries, np.random.default_rng(seed))
    ones = np.ones(len(items), np.float32)
    visible = sparse.csr_array((ones, items, np.arange(len(items) + 1)), shape=(len(items), counts.shape[1]))
    targets = partners[items]
    by_class = {name: mask[targets.indices] for name, mask in classes.items()}
    return Task(PAIRS, part, Queries(visible, np.full(len(items), -1)), targets, by_class)


def _at_most(rows: npt.NDArray[np.int64], limit: int, draw: np.random.Generator) -> npt.NDArray[np.int64]:
    return rows if len(rows) <= limit else np.sort(draw.choice(rows, limit, replace=False))
