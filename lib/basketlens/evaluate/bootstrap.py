"""95 % intervals by resampling queries."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CHUNK: Final = 64  # resamples at once: bounds the memory, changes no draw
_BOUNDS: Final = (0.025, 0.975)


class Estimate(NamedTuple):
    """m means and their 95 % intervals, (m,) each; NaN where there is nothing to average."""

    value: Floats
    low: Floats
    high: Floats


def estimate(numerator: Floats, denominator: Floats, *, resamples: int, seed: int) -> Estimate:
    """Means sum(numerator) / sum(denominator) over the queries, with percentile bootstrap intervals.

    A mean over a class of queries has the denominator 1 for its queries and 0 for others; a share of pairs has
    the query's pairs there.  For a paired difference of two methods give the difference of their numerators:
    both see the same resampled queries.

    Args:
        numerator: (q, m).
        denominator: (q, m), >= 0.
        resamples: how many times q queries are drawn from the q queries with replacement.
        seed: of the draws; the same for the same q whatever m is.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.
    """
    q, draw = len(numerator), np.random.default_rng(seed)
    drawn = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for start in range(0, resamples, _CHUNK):
            times = min(_CHUNK, resamples - start)
            weights = np.stack([np.bincount(draw.integers(0, q, q), minlength=q) for _ in range(times)])
            weights = weights.astype(np.float64)  # (times, q)
            drawn.append((weights @ numerator) / (weights @ denominator))
        value = numerator.sum(axis=0) / denominator.sum(axis=0)
    means = np.concatenate(drawn)  # (resamples, m)
    low, high = np.full(means.shape[1], np.nan), np.full(means.shape[1], np.nan)
    for at in range(means.shape[1]):
        defined = means[np.isfinite(means[:, at]), at]  # a small class may be missing from a resample
        if len(defined):
            low[at], high[at] = np.quantile(defined, _BOUNDS)
    return Estimate(value, low, high)
