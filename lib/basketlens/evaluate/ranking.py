"""Candidates on tasks: rank all targets, block by block, and keep the best candidate of every method."""

from collections.abc import Mapping, Sequence

import numpy as np

from basketlens.evaluate.attending import CELLS
from basketlens.evaluate.candidates import Block, Candidate
from basketlens.evaluate.measures import MAIN, Ranked, sums_of
from basketlens.evaluate.ranks import Places, places_of, together
from basketlens.evaluate.split import Mask
from basketlens.evaluate.tasks import PAIRS, Queries, Task


def rank(task: Task, candidates: Sequence[Candidate], is_cold: Mask) -> list[Ranked]:
    """Places of the task's targets by each candidate, in their order.

    Args:
        task: q queries over n items.
        candidates: what ranks; only scores of one block of queries exist at a time.
        is_cold: (n,), among which cold partners are ranked as well.
    """
    q, n = task.queries.visible.shape
    everywhere: list[list[Places]] = [[] for _ in candidates]
    among_cold: list[list[Places]] = [[] for _ in candidates]
    rows = max(1, CELLS // n)
    for start in range(0, q, rows):
        at = slice(start, start + rows)
        block = Block(Queries(task.queries.visible[at], task.queries.customers[at]))
        visible, targets = block.queries.visible, task.targets[at]
        of_cold = (visible[:, is_cold], targets[:, is_cold]) if task.name == PAIRS else None
        for number, candidate in enumerate(candidates):
            scores = candidate.score(block)
            everywhere[number].append(places_of(scores, visible, targets))
            if of_cold is not None:
                among_cold[number].append(places_of(scores[:, is_cold], *of_cold))
    return [
        Ranked(together(found), together(cold) if cold else None)
        for found, cold in zip(everywhere, among_cold, strict=True)
    ]


def best_of_each(
    task: Task, candidates: Sequence[Candidate], is_cold: Mask
) -> Mapping[str, tuple[Candidate, Ranked]]:
    """For each method the candidate with the best main figure, and its places; the first one among equals."""
    best: dict[str, tuple[float, Candidate, Ranked]] = {}
    for candidate, ranked in zip(candidates, rank(task, candidates, is_cold), strict=True):
        found, wanted = sums_of(task, ranked).of(MAIN[task.name])
        value = float(np.sum(found) / np.sum(wanted))
        if candidate.method not in best or value > best[candidate.method][0]:
            best[candidate.method] = (value, candidate, ranked)
    return {method: (candidate, ranked) for method, (_, candidate, ranked) in best.items()}
