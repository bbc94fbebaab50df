"""Where targets stand among all candidates, and what that is worth when ties are broken at random."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
_FEW: Final = 6  # targets of a row up to which comparing all scores with each is cheaper than sorting them


class Places(NamedTuple):
    """Of t targets: a target is found somewhere between rank above + 1 and above + ties + 1."""

    above: npt.NDArray[np.int64]  # (t,) candidates with a higher score
    ties: npt.NDArray[np.int64]  # (t,) other candidates with the same score


def places_of(
    scores: npt.NDArray[np.float32], visible: sparse.csr_array, targets: sparse.csr_array
) -> Places:
    """Places of the targets among the items that are not visible, row by row.

    Args:
        scores: (q, n), finite; larger is better.
        visible: (q, n), items that are no candidates.
        targets: (q, n), none of them visible.

    Raises:
        ValueError: the score of a target is NaN.
    """
    above, ties = (np.zeros(targets.nnz, np.int64) for _ in range(2))
    for row, score in enumerate(scores):
        at = slice(targets.indptr[row], targets.indptr[row + 1])
        wanted = score[targets.indices[at]]
        seen = score[visible.indices[visible.indptr[row] : visible.indptr[row + 1]]]
        above[at], ties[at] = _counted(score, wanted) - _counted(seen, wanted)
    if np.isnan(scores[np.repeat(np.arange(len(scores)), np.diff(targets.indptr)), targets.indices]).any():
        raise ValueError("a target's score is NaN, which stands nowhere in an order")
    return Places(above, ties - 1)  # a target ties with itself


def _counted(scores: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """How many scores (n,) are above, and how many are equal to, each of those wanted (t,): (2, t)."""
    if len(wanted) <= _FEW:
        compared = (scores > wanted[:, None], scores == wanted[:, None])
        return np.stack([np.count_nonzero(c, axis=1) for c in compared])
    ordered = np.sort(scores)
    left, right = (np.searchsorted(ordered, wanted, side) for side in ("left", "right"))
    return np.stack([len(scores) - right, right - left])


def together(parts: list[Places]) -> Places:
    """Places of several blocks of queries, in their order."""
    return Places(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def hit_at(k: int, places: Places) -> Floats:
    """P(rank <= k) for each target when ties are ordered at random, (t,) in 0..1."""
    return np.asarray(np.clip((k - places.above) / (places.ties + 1), 0, 1), np.float64)


def reciprocal_rank(places: Places) -> Floats:
    """Expected 1 / rank, (t,)."""
    return _expected(1 / np.arange(1, _last(places) + 1), places)


def discounted_gain_at(k: int, places: Places) -> Floats:
    """Expected 1 / log2(1 + rank) of ranks up to k, (t,): NDCG@k where one item is relevant."""
    rank = np.arange(1, max(k, _last(places)) + 1)
    return _expected(np.where(rank <= k, 1 / np.log2(1 + rank), 0), places)


def _last(places: Places) -> int:
    return int((places.above + places.ties).max(initial=0)) + 1


def _expected(gains: Floats, places: Places) -> Floats:
    """Mean of the gains (gain of rank 1, of rank 2, ...) over the ranks that a target may have."""
    summed = np.concatenate([[0], np.cumsum(gains)])
    gained = summed[places.above + places.ties + 1] - summed[places.above]
    return np.asarray(gained / (places.ties + 1), np.float64)
