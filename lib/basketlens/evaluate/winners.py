"""Which method each task should use, by its figures on validation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median_low
from typing import Final, NamedTuple

from basketlens.evaluate.measures import ALL, MAIN
from basketlens.evaluate.rows import CHOSEN, Row
from basketlens.evaluate.tasks import BASKETS, PAIRS

# What `associations` and `recommendations` can compute; the other methods are there to be compared with.
USABLE: Final[Mapping[str, Sequence[str]]] = {
    PAIRS: ("confidence", "counts / popularity", "attention", "counts + attention"),
    BASKETS: (
        "basket attention",
        "ease",
        "ease + attention",
        "history",
        "ease + history",
        "ease + attention + history",
    ),
}


class Winner(NamedTuple):
    """The best method of a task, and the best of those that the job can serve."""

    task: str
    best: str
    usable: str
    parameters: Mapping[str, float]  # of `usable`
    value: float  # main figure of `usable` on validation, mean of the seeds


class Strength(NamedTuple):
    """How `associations` orders an item's neighbours: P(j | i) / popularity_j^discount, P shrunk toward attention."""

    prior: float  # co-purchases that the attention counts for; 0: counts alone, inf: attention alone
    discount: float


class Blend(NamedTuple):
    """Scores of `recommendations`: ease * EASE + attention * P(j | basket) + history * n_uj / (n_u + history_shrink)."""

    ease: float
    ridge: float  # baskets
    attention: float
    history: float
    half_life_weeks: float
    history_shrink: float  # baskets


def winners(rows: Iterable[Row]) -> Mapping[str, Winner]:
    """The winner of each task, over all seeds in the rows.

    Ties go to the method whose name comes first.  Seeds may choose parameters differently: the lower median is taken.

    Raises:
        ValueError: a task has no figures of validation.
    """
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    parameters: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        name, _, part = row.task.partition(".")
        if row.of_class == CHOSEN:
            parameters[name, row.method][row.metric].append(row.value)
        elif part == "validation" and row.metric == MAIN[name] and row.of_class == ALL:
            values[name, row.method].append(row.value)
    found = {}
    for task, usable in USABLE.items():
        mean = {method: fmean(each) for (name, method), each in sorted(values.items()) if name == task}
        if not mean.keys() & set(usable):
            raise ValueError(f"no figures of {task}.validation in these rows: has evaluate run to its end?")
        best = max(mean, key=mean.__getitem__)
        served = max((method for method in mean if method in usable), key=mean.__getitem__)
        chosen = {name: median_low(each) for name, each in parameters[task, served].items()}
        found[task] = Winner(task, best, served, chosen, mean[served])
    return found


def strength_of(winner: Winner) -> Strength:
    """Prior and popularity discount of the winner of pairs; counts alone have a prior of 0."""
    return Strength(winner.parameters.get("prior", 0.0), winner.parameters.get("discount", 0.0))


def blend_of(winner: Winner) -> Blend:
    """Weights of the winner of baskets; a part that it lacks has the weight 0."""
    of = winner.parameters
    alone = {"basket attention": "attention", "history": "history"}.get(winner.usable)
    return Blend(
        ease=1.0 if "ease" in winner.usable else 0.0,
        ridge=of.get("ridge", 0.0),
        attention=1.0 if alone == "attention" else of.get("attention", 0.0),
        history=1.0 if alone == "history" else of.get("history", 0.0),
        half_life_weeks=of.get("half_life_weeks", float("inf")),
        history_shrink=of.get("history_shrink", 0.0),
    )
