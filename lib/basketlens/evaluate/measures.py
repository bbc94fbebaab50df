"""The figures of a method on a task, as sums over queries that can be averaged, resampled and compared."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from basketlens.evaluate.ranks import Floats, Places, discounted_gain_at, hit_at, reciprocal_rank
from basketlens.evaluate.tasks import BASKETS, Task

MAIN: Final = {"baskets": "hr@10", "pairs": "recall@10"}  # what a task's choices are made by
ALL: Final = "all"
_SHORT, _LONG = 10, 50


class Ranked(NamedTuple):
    """Places of a task's targets."""

    everywhere: Places  # (t,), among all items that are not visible
    among_cold: Places | None  # of the cold targets, among cold items alone; not asked of baskets


class Sums(NamedTuple):
    """m figures over q queries; a figure is sum(numerator) / sum(denominator)."""

    names: list[tuple[str, str]]  # (m,) metric and class
    numerator: Floats  # (q, m)
    denominator: Floats  # (q, m)

    def of(self, metric: str, of_class: str = ALL) -> tuple[Floats, Floats]:
        """Numerator and denominator (q, 1) of one figure."""
        at = self.names.index((metric, of_class))
        return self.numerator[:, [at]], self.denominator[:, [at]]


def sums_of(task: Task, ranked: Ranked) -> Sums:
    """All figures of the task.

    Baskets, where one item is relevant and one is found or not, by class of the hidden item: `accuracy` (it is
    first), `hr@10`, `hr@50`, `mrr`, `ndcg@10`.  `recall@10` is hr@10 then, `precision@10` a tenth of it, and
    `f1@10` 2/11 of it; they are there to be compared with other reports.

    Pairs: `recall@10` and `recall@50`, the share of an item's partners that is found, averaged over items (of more
    than 10 or 50 partners so many can be found at most, and these are the whole);
    `found@10` and `found@50`, the share of all pairs that is found, by class of the partner; `cold_in@50` and
    `cold_in_found@50`, the same two of cold partners ranked among cold items alone.
    """
    return _of_baskets(task, ranked.everywhere) if task.name == BASKETS else _of_pairs(task, ranked)


def _of_baskets(task: Task, places: Places) -> Sums:
    """One target a query: t = q."""
    hits = {k: hit_at(k, places) for k in (1, _SHORT, _LONG)}
    metrics = {
        "accuracy": hits[1],
        "hr@10": hits[_SHORT],
        "hr@50": hits[_LONG],
        "mrr": reciprocal_rank(places),
        "ndcg@10": discounted_gain_at(_SHORT, places),
        "precision@10": hits[_SHORT] / _SHORT,
        "recall@10": hits[_SHORT],
        "f1@10": hits[_SHORT] * 2 / (_SHORT + 1),
    }
    masks = {ALL: np.ones(len(places.above), bool), **task.classes}
    names = [(metric, of_class) for metric in metrics for of_class in masks]
    numerator = np.stack([metrics[metric] * masks[of_class] for metric, of_class in names], axis=1)
    denominator = np.stack([masks[of_class].astype(float) for _, of_class in names], axis=1)
    return Sums(names, numerator, denominator)


def _of_pairs(task: Task, ranked: Ranked) -> Sums:
    q = len(task.targets.indptr) - 1
    query_of = np.repeat(np.arange(q), np.diff(task.targets.indptr))  # (t,)
    is_cold = task.classes["cold"]
    columns: dict[tuple[str, str], tuple[Floats, Floats]] = {}
    for k in (_SHORT, _LONG):
        hit = hit_at(k, ranked.everywhere)
        columns[f"found@{k}", ALL] = _by_query(hit, query_of, q)
        columns[f"recall@{k}", ALL] = _per_query(*columns[f"found@{k}", ALL], most=k)
        for of_class, mask in task.classes.items():
            columns[f"found@{k}", of_class] = _by_query(hit[mask], query_of[mask], q)
    if ranked.among_cold is not None:
        found = _by_query(hit_at(_LONG, ranked.among_cold), query_of[is_cold], q)
        columns[f"cold_in_found@{_LONG}", "cold"] = found
        columns[f"cold_in@{_LONG}", "cold"] = _per_query(*found, most=_LONG)
    numerators, denominators = zip(*columns.values(), strict=True)
    return Sums(list(columns), np.stack(numerators, axis=1), np.stack(denominators, axis=1))


def _by_query(hit: Floats, query_of: npt.NDArray[np.int64], q: int) -> tuple[Floats, Floats]:
    """Targets found and targets wanted of each query, (q,) each."""
    found, wanted = np.zeros(q), np.zeros(q)
    np.add.at(found, query_of, hit)
    np.add.at(wanted, query_of, 1)
    return found, wanted


def _per_query(found: Floats, wanted: Floats, *, most: int) -> tuple[Floats, Floats]:
    """Every query with a target counts once, by the share that is found of what could be: `most` at most."""
    has = wanted > 0
    shares = np.divide(found, np.minimum(wanted, most), out=np.zeros(len(found)), where=has)
    return shares, has.astype(np.float64)
