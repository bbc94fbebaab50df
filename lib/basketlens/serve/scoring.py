"""One task of `recommendations`: rows in, the best items of each basket out; numpy and scipy, no Spark."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from basketlens import columns as c
from basketlens.ease import Ease, ease_scores
from basketlens.evaluate.attending import basket_attention
from basketlens.evaluate.winners import Blend
from basketlens.serve.fields import CUSTOMER, KEY_ID, Options
from basketlens.serve.reading import Asked, Model, asked_of, models_and_baskets
from basketlens.serve.sentences import Reason, sentence

Floats = npt.NDArray[np.float32]


class Parts(NamedTuple):
    """What the score of each item for each basket is the sum of, weights included, (b, n) each; None: it takes no part."""

    ease: Floats | None
    attention: Floats | None
    history: Floats | None

    def total(self) -> Floats:
        """Scores (b, n), which are written over one of the parts' copies."""
        given = [part for part in self if part is not None]
        total = given[0].copy()
        for part in given[1:]:
            total += part
        return total


def parts_of(asked: Asked, model: Model, blend: Blend) -> Parts:
    """The parts of the blend for some baskets: the same sums as `evaluate` measured."""
    ease = attention = history = None
    if blend.ease and model.ease is not None:
        ease = np.float32(blend.ease) * ease_scores(asked.visible, model.ease)
    if blend.attention and model.projections is not None:
        attention = np.float32(blend.attention) * basket_attention(
            model.projections, _known(asked.visible, model)
        )
    if blend.history or (ease is None and attention is None):  # at least one part, though it be of zeros
        divisor = np.maximum(
            asked.recent_baskets + blend.history_shrink, 1e-12
        )  # who has no baskets has bought nothing
        history = np.float32(blend.history) * (asked.recent.toarray() / divisor[:, None]).astype(np.float32)
    return Parts(ease, attention, history)


def best_items(scores: Floats, held: sparse.csr_array, *, top: int) -> list[npt.NDArray[np.int64]]:
    """For each basket the numbers of its best items that it does not hold, best first; ties go to the lower number.

    Only items with a score above 0: nothing speaks for the others.

    Args:
        scores: (b, n); overwritten where the basket holds the item.
        held: (b, n).
        top: items per basket, 1 or more.
    """
    scores[np.repeat(np.arange(held.shape[0]), np.diff(held.indptr)), held.indices] = 0
    n, found = scores.shape[1], []
    for row in scores:
        least = np.partition(row, n - top)[n - top] if top < n else np.float32(0)
        at = np.flatnonzero((row >= least) & (row > 0))
        found.append(at[np.argsort(-row[at], kind="stable")][:top])
    return found


def pages(batches: Iterable[pa.RecordBatch], options: Options) -> Iterator[pa.RecordBatch]:
    """Rows of `recommendations`, for the rows of one task as `plan.rows_of_tasks` sends them.

    Raises:
        InputError: vectors of several widths, or numbers that are not finite.
    """
    for model, baskets in models_and_baskets(batches):
        step = max(1, options.cells // max(1, len(model.ids)))
        for start in range(0, len(baskets), step):
            yield _page(baskets.slice(start, step), model, options)


def _page(baskets: pa.RecordBatch, model: Model, options: Options) -> pa.RecordBatch:
    asked = asked_of(baskets, model)
    parts = parts_of(asked, model, options.blend)
    scores = parts.total()
    chosen = best_items(scores, asked.visible, top=options.top)
    sizes = np.array([len(items) for items in chosen], np.int64)
    basket = np.repeat(np.arange(len(chosen)), sizes)
    items = np.concatenate(chosen) if len(chosen) else np.empty(0, np.int64)
    rank = np.arange(len(items)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    times = _at(asked.times, basket, items)
    reasons = _reasons(asked, model, parts, chosen, times, weight=options.blend.attention)
    return pa.RecordBatch.from_pydict(
        {
            c.BASKET_ID: baskets[KEY_ID].take(pa.array(basket)),
            c.CUSTOMER_KEY: baskets[CUSTOMER].take(pa.array(basket)),
            c.RANK: pa.array(rank, pa.int32()),
            c.ITEM_ID: model.ids.take(pa.array(items)),
            c.ITEM_NAME: pa.array([model.names[item] for item in items], pa.string()),
            c.SCORE: pa.array(scores[basket, items], pa.float64()),
            c.IS_REPEAT: pa.array(times > 0),
            c.EVIDENCE: pa.array([sentence(reason) for reason in reasons], pa.string()),
            c.METHOD: pa.array([options.method] * len(items), pa.string()),
        }
    )


def _reasons(
    asked: Asked,
    model: Model,
    parts: Parts,
    chosen: list[npt.NDArray[np.int64]],
    times: npt.NDArray[np.int64],
    *,
    weight: float,
) -> Iterator[Reason]:
    """What speaks for each chosen item, basket by basket; `weight` is that of attention."""
    n, done = int(model.has_vectors.sum()), 0
    for row, items in enumerate(chosen):
        held = asked.visible.indices[asked.visible.indptr[row] : asked.visible.indptr[row + 1]]
        beside = _beside(held, items, model.ease) if parts.ease is not None else np.full(len(items), -1)
        for item, companion in zip(items, beside, strict=True):
            ease, attention, history = (0.0 if part is None else float(part[row, item]) for part in parts)
            yield Reason(
                model.names[companion] if companion >= 0 else "", ease, int(times[done]),
                int(asked.baskets[row]), history,
                attention, attention / weight * (n - len(held)) if weight else 0.0,
            )  # fmt: skip
            done += 1


def _beside(
    held: npt.NDArray[np.int32], items: npt.NDArray[np.int64], ease: Ease | None
) -> npt.NDArray[np.int64]:
    """For each item the one in the basket that EASE ties it to most; -1: none; ties go to the lower number."""
    if ease is None or not len(held) or not len(items):
        return np.full(len(items), -1)
    rows, columns = (_places(numbers, ease) for numbers in (held, items))
    weights = np.where(
        (rows[:, None] >= 0) & (columns >= 0), ease.weights[np.ix_(rows, columns)], np.float32(0)
    )
    strongest = weights.argmax(axis=0)
    return np.where(weights.max(axis=0) > 0, held[strongest], -1)


def _places(items: npt.NDArray[np.integer], ease: Ease) -> npt.NDArray[np.int64]:
    """Where items stand among those of EASE; -1: nowhere."""
    at = np.minimum(np.searchsorted(ease.items, items), len(ease.items) - 1)
    return np.where(ease.items[at] == items, at, -1)


def _at(
    table: sparse.csr_array, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Entries of a sparse table, 0 where it has none."""
    if not len(rows):
        return np.empty(0, np.int64)
    return np.asarray(table[rows, columns]).ravel().astype(np.int64)


def _known(held: sparse.csr_array, model: Model) -> sparse.csr_array:
    """Without the items that have no vectors, which training never saw."""
    if model.has_vectors.all():
        return held
    kept = held.copy()
    kept.data[~model.has_vectors[kept.indices]] = 0
    kept.eliminate_zeros()
    return kept
