"""The honest table: every method, tuned on validation, on both tasks, with intervals."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.ease import fit_ease, gram_of
from basketlens.evaluate import models as m
from basketlens.evaluate.attending import attention
from basketlens.evaluate.baselines import baselines
from basketlens.evaluate.calibration import reliability
from basketlens.evaluate.candidates import Candidate
from basketlens.evaluate.counting import purchase_history
from basketlens.evaluate.item2vec import in_out_vectors
from basketlens.evaluate.known import Floats, known_from
from basketlens.evaluate.measures import Ranked, sums_of
from basketlens.evaluate.ranking import best_of_each, rank
from basketlens.evaluate.rows import Row, calibration_rows, chosen_rows, difference_rows, figure_rows
from basketlens.evaluate.split import Cuts, Mask, Split, item_classes, split_by_days
from basketlens.evaluate.tasks import BASKETS, PAIRS, Task, basket_completion, partner_search
from basketlens.shopping import Baskets, Items, copurchases

COMPARED: Final = {
    BASKETS: [
        ("ease + attention", "ease"),
        ("ease + attention + history", "ease + history"),
        ("counts + attention", "counts + popularity"),
    ],
    PAIRS: [("counts + attention", "counts + popularity"), ("counts + attention", "confidence")],
}
_CALIBRATED: Final = 2000  # items whose attention is held against the test weeks, drawn by seed

Fit = Callable[[Floats, Baskets, sparse.csr_array, npt.NDArray[np.int64], Mask, int], m.Fitted]
"""vectors (n, d), training baskets, counts (n, n), purchases (n,), is_new (n,), seed -> what was trained."""


class EvaluateOptions(NamedTuple):
    """How the table is made."""

    new_share: float  # 0..1, share of items that stand for new products
    max_queries: int  # queries of a task and part at most, drawn by seed; bounds the time
    resamples: int  # of the bootstrap
    ease_max_items: int  # most purchased items that EASE knows


def evaluate(
    items: Items, baskets: Baskets, cuts: Cuts, fit: Fit, options: EvaluateOptions, seed: int
) -> list[Row]:
    """Train on the past, choose on validation, report validation and test.

    Args:
        items: n items.
        baskets: of all days.
        cuts: where validation and test begin.
        fit: trains attention; it is shown training baskets alone.
        options: sizes.
        seed: of new products, hidden items, training, samples and resamples.

    Returns:
        Rows of the table `evaluation`; tasks are `baskets` and `pairs`, each `.validation` and `.test`, and
        `calibration.test`.

    Raises:
        InputError: a part has no baskets, nothing was bought together, or a task has no query.
    """
    split = split_by_days(baskets, cuts, new_share=options.new_share, seed=seed)
    models = _models(items, baskets, split, cuts, fit, options, seed)
    rows: list[Row] = []
    sampled = {"resamples": options.resamples, "seed": seed}
    for name in (BASKETS, PAIRS):
        validation, test = (_task(name, part, split, options, seed) for part in ("validation", "test"))
        chosen = _tuned(models, validation, seed)
        candidates = {method: candidate for method, (candidate, _) in chosen.items()}
        tested = rank(test, list(candidates.values()), models.known.is_cold)
        on_validation = {method: sums_of(validation, ranked) for method, (_, ranked) in chosen.items()}
        on_test = {method: sums_of(test, ranked) for method, ranked in zip(chosen, tested, strict=True)}
        rows += chosen_rows(name, {method: of.parameters for method, of in candidates.items()}, seed=seed)
        rows += figure_rows(f"{name}.validation", on_validation, **sampled)
        rows += figure_rows(f"{name}.test", on_test, **sampled)
        rows += difference_rows(name, on_validation, on_test, COMPARED[name], **sampled)
    return [*rows, *_calibration(models, split, seed)]


def _models(
    items: Items, baskets: Baskets, split: Split, cuts: Cuts, fit: Fit, options: EvaluateOptions, seed: int
) -> m.Models:
    """Train, solve and count, from the training baskets."""
    known = known_from(items, split)
    fitted = fit(items.vectors, split.train, known.counts, known.purchases, split.is_new, seed)
    gram = gram_of(split.train.held, max_items=options.ease_max_items)
    customers = int(baskets.customers.max()) + 1
    return m.Models(
        known,
        fitted,
        {ridge: fit_ease(gram, ridge=ridge) for ridge in m.RIDGES},
        {
            weeks: purchase_history(
                split.train, customers=customers, end=cuts.validation, half_life_weeks=weeks
            )
            for weeks in m.HALF_LIVES
        },
    )


def _task(name: str, part: str, split: Split, options: EvaluateOptions, seed: int) -> Task:
    baskets = split.validation if part == "validation" else split.test
    classes = item_classes(split)
    most = options.max_queries
    if name == BASKETS:
        return basket_completion(baskets, split.train, classes, part=part, max_queries=most, seed=seed)
    return partner_search(baskets, classes, part=part, max_queries=most, seed=seed)


def _tuned(models: m.Models, task: Task, seed: int) -> Mapping[str, tuple[Candidate, Ranked]]:
    """Every method at its best on this task; sums of methods start from what was best for each alone."""
    is_cold = models.known.is_cold
    item2vec = in_out_vectors(models.known, seed=seed)
    singles = [*baselines(models.known, item2vec, task.name), *m.with_attention(models, task.name)]
    singles += [c for c in m.alone(models) if task.name == BASKETS or c.method == "ease"]
    best = dict(best_of_each(task, singles, is_cold))
    if task.name == BASKETS:
        for sums in (m.in_pairs, m.all_three):
            chosen = {method: candidate for method, (candidate, _) in best.items()}
            best |= best_of_each(task, list(sums(models, chosen)), is_cold)
    return best


def _calibration(models: m.Models, split: Split, seed: int) -> Iterator[Row]:
    """Attention held against the co-purchases of the test, for a sample of the items that have any."""
    counts = copurchases(split.test)
    items = np.flatnonzero(np.diff(counts.indptr))
    draw = np.random.default_rng(seed)
    if len(items) > _CALIBRATED:
        items = np.sort(draw.choice(items, _CALIBRATED, replace=False))
    found = reliability(lambda block: attention(models.fitted.items, block), counts, items)
    return calibration_rows("attention", found, seed=seed)
