"""Which keys take part in a step, and the part of a sparse matrix that it sees."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

Numbers = npt.NDArray[np.int64]


class KeyOptions(NamedTuple):
    """How many keys take part in a step."""

    always: int  # most frequent items, in every step: they carry most of every denominator
    share: float  # above 0, at most 1: of the others, drawn anew in every step


class KeyPool(NamedTuple):
    """The items that were bought in training; those that were not stay out of every denominator."""

    always: Numbers  # in every step
    rest: Numbers  # sampled
    taken: int  # of `rest` in a step


class Keys(NamedTuple):
    """The keys of a step."""

    items: Numbers  # (k,) different ones
    correction: npt.NDArray[np.float32]  # (k,) -log of the probability to be in a step
    place: Numbers  # (n,) of each item in `items`, or -1


def key_pool(purchases: Numbers, options: KeyOptions) -> KeyPool:
    """The keys that there are, by falling purchases, ties by number."""
    order = np.argsort(-purchases, kind="stable")
    bought = order[: np.count_nonzero(purchases)]
    always, rest = bought[: options.always], bought[options.always :]
    return KeyPool(always, rest, int(np.ceil(options.share * len(rest))))


def draw_keys(pool: KeyPool, n: int, draw: np.random.Generator) -> Keys:
    """Keys of a step: an item of the rest is in it with probability taken / rest, all equally likely."""
    sampled = draw.choice(pool.rest, pool.taken, replace=False, shuffle=False) if pool.taken else pool.rest
    items = np.concatenate([pool.always, sampled])
    correction = np.zeros(len(items), dtype=np.float32)
    correction[len(pool.always) :] = np.log(max(len(pool.rest), 1) / max(pool.taken, 1))
    return Keys(items, correction, places(items, n))


def chances_of(sizes: npt.NDArray[np.float64], expected: int) -> npt.NDArray[np.float64]:
    """Chances (n,) to be drawn, in proportion to sizes (n,) >= 0 but 1 at most, that add up to `expected` where that can be."""
    is_sure = np.zeros(len(sizes), dtype=bool)
    if expected >= np.count_nonzero(sizes):
        return (sizes > 0).astype(np.float64)
    while True:
        chances = np.where(is_sure, 1.0, sizes * (expected - is_sure.sum()) / sizes[~is_sure].sum())
        if not (chances > 1).any():
            return chances
        is_sure |= chances >= 1


def draw_by_chance(chances: npt.NDArray[np.float64], draw: np.random.Generator) -> Numbers:
    """Different items, each with its chance exactly, as many as the chances add up to, rounded up or down.

    Source: Madow 1949, "On the theory of systematic sampling, II"; the order is drawn anew each time.
    """
    order = draw.permutation(len(chances))
    ends = draw.random() + np.concatenate([[0.0], np.cumsum(chances[order])])
    return order[np.diff(np.floor(ends)) > 0]


def places(items: Numbers, n: int) -> Numbers:
    """Where each of n items stands in `items`, or -1."""
    place = np.full(n, -1, dtype=np.int64)
    place[items] = np.arange(len(items))
    return place


def entries(matrix: sparse.csr_array, rows: Numbers) -> tuple[Numbers, Numbers, npt.NDArray[np.float32]]:
    """Of some rows of a sparse matrix: at which of `rows`, column, value of every entry."""
    part = matrix[rows]
    at = np.repeat(np.arange(len(rows)), np.diff(part.indptr))
    return at, part.indices.astype(np.int64), part.data.astype(np.float32)
