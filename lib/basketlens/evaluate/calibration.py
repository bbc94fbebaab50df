"""Is attention the probability that it says it is?"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.evaluate.attending import CELLS
from basketlens.evaluate.known import Floats

DECILES: Final = 10
_FINE: Final = 100  # fine bins a factor of ten of probability, from which the deciles are put together
_LEAST: Final = -12  # log10 of the probability below which all share one bin

Sums = npt.NDArray[np.float64]


class Reliability(NamedTuple):
    """What was predicted and what came, in up to ten bins of rising probability that hold the same predicted mass.

    A trial is one co-purchase of item i and one candidate j: it is predicted to fall on j with P(j | i).
    """

    predicted: Sums  # (bins,) mean probability of the trials of a bin
    observed: Sums  # (bins,) share of them that came true
    error: float  # expected calibration error, 0..2, see `reliability`


def reliability(
    probability: Callable[[npt.NDArray[np.int64]], Floats],
    counts: sparse.csr_array,
    items: npt.NDArray[np.int64],
) -> Reliability:
    """Compare P(j | i) with the held-out co-purchases of items i.

    The expected calibration error is the sum over the bins of |predicted - observed| co-purchases, as a share of all
    of them.  It is the usual one (Naeini et al. 2015) times the number of candidates, for an error per candidate
    would be small for any catalogue that is large.

    Args:
        probability: for items (b,) their P(j | i), (b, n) in 0..1.
        counts: (n, n) held-out baskets that hold both.
        items: which rows to look at; those without co-purchases have no trials.
    """
    trials, expected, came = (np.zeros(-_LEAST * _FINE + 1) for _ in range(3))
    rows = max(1, CELLS // counts.shape[1])
    for start in range(0, len(items), rows):
        block = items[start : start + rows]
        p, held = probability(block), counts[block]
        totals = np.asarray(held.sum(axis=1), np.float64)  # (b,) co-purchases
        bins = _bins(p)
        weights = np.repeat(totals, p.shape[1])
        trials += np.bincount(bins.ravel(), weights, len(trials))
        expected += np.bincount(bins.ravel(), weights * p.ravel(), len(trials))
        row_of = np.repeat(np.arange(len(block)), np.diff(held.indptr))
        came += np.bincount(bins[row_of, held.indices], held.data, len(trials))
    middle = np.cumsum(expected) - expected / 2
    decile = np.minimum((DECILES * middle / max(expected.sum(), 1e-300)).astype(int), DECILES - 1)
    sums = np.stack([np.bincount(decile, part, DECILES) for part in (trials, expected, came)])
    trials, expected, came = sums
    error = float(np.abs(expected - came).sum() / max(came.sum(), 1))
    is_used = expected > 0
    predicted, observed = expected[is_used] / trials[is_used], came[is_used] / trials[is_used]
    return Reliability(predicted, observed, error)


def _bins(p: Floats) -> npt.NDArray[np.int64]:
    with np.errstate(divide="ignore"):
        log = np.maximum(np.log10(p), _LEAST)
    return np.asarray(np.minimum((log - _LEAST) * _FINE, -_LEAST * _FINE), np.int64)
