"""Scores that come from counts of baskets alone."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.evaluate.known import Floats, Known
from basketlens.shopping import Baskets


def inverse(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """1 / value, and 0 for 0: an item without counts says nothing."""
    given = np.asarray(values, np.float64)
    return np.divide(1, given, out=np.zeros(given.shape), where=given > 0)


def weighted(held: sparse.csr_array, weights: npt.NDArray[np.float64]) -> sparse.csr_array:
    """The queries (b, n) with every item held weighing weights (n,) and not 1."""
    data = (held.data * weights[held.indices]).astype(np.float32)
    return sparse.csr_array((data, held.indices, held.indptr), shape=held.shape)


def summed(held: sparse.csr_array, table: sparse.csr_array) -> Floats:
    """For each query (b, n) the sum over what it holds of rows of the table (n, n): (b, n), dense."""
    return np.asarray((held @ table).toarray())


def shrunk_log_lift(known: Known, shrink: float) -> sparse.csr_array:
    """Log of lift, shrunk: log(n_ij N / (n_i n_j)) n_ij / (n_ij + shrink), 0 for pairs never bought together."""
    pairs = known.counts.tocoo()
    lift = pairs.data * float(known.baskets) / known.purchases[pairs.row] / known.purchases[pairs.col]
    data = (np.log(lift) * pairs.data / (pairs.data + shrink)).astype(np.float32)
    return sparse.csr_array((data, known.counts.indices, known.counts.indptr), shape=known.counts.shape)


def pair_rules(known: Known, min_support: float) -> sparse.csr_array:
    """Confidence (n, n) of the rules i -> j whose support, a share of baskets, is reached."""
    pairs = known.counts.tocoo()
    is_frequent = pairs.data >= min_support * known.baskets
    i, j, both = pairs.row[is_frequent], pairs.col[is_frequent], pairs.data[is_frequent]
    return sparse.csr_array((both / known.purchases[i].astype(np.float32), (i, j)), shape=known.counts.shape)


def by_rules(held: sparse.csr_array, rules: sparse.csr_array, popularity: Floats) -> Floats:
    """Each query's best rule decides: 1 + its confidence; items that no rule names follow by popularity (below 1).

    Args:
        held: (b, n), what the queries hold.
        rules: (n, n) confidence, 0..1.
        popularity: (n,) share of baskets, 0..1.
    """
    scores = np.repeat(popularity[None], held.shape[0], axis=0)
    starts, lengths = rules.indptr[held.indices], np.diff(rules.indptr)[held.indices]
    query = np.repeat(np.repeat(np.arange(held.shape[0]), np.diff(held.indptr)), lengths)
    first = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    at = first + np.arange(len(first))  # the rules of every item held, one after the other
    np.maximum.at(scores, (query, rules.indices[at]), 1 + rules.data[at])
    return scores


def purchase_history(
    train: Baskets, *, customers: int, end: int, half_life_weeks: float
) -> tuple[sparse.csr_array, npt.NDArray[np.float64]]:
    """What customers bought before, older baskets counting less.

    Args:
        train: training baskets.
        customers: how many customers there are in all.
        end: the day, since 1970-01-01, from which ages are counted.
        half_life_weeks: after so many weeks a basket counts half; inf: it never counts less.

    Returns:
        Baskets of customer u with item j, weighted, (customers + 1, n), and their weighted baskets in all,
        (customers + 1,).  The last row is empty: it is that of customer -1, who is not known.
    """
    is_known = train.customers >= 0
    weight = 0.5 ** ((end - train.days[is_known]) / (7 * half_life_weeks))
    of_customer = sparse.csr_array(
        (weight, (train.customers[is_known], np.flatnonzero(is_known))),
        shape=(customers + 1, len(train.customers)),
    )
    bought = sparse.csr_array(of_customer @ train.held).astype(np.float32)
    return bought, np.asarray(of_customer.sum(axis=1), np.float64)
