"""Methods with something solved or trained in them: attention, EASE, the customer's own history, and their sums."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from basketlens.ease import Ease, ease_scores
from basketlens.evaluate.attending import attended, basket_attention
from basketlens.evaluate.baselines import DISCOUNTS, PRIORS, per_popularity, shrunk_counts
from basketlens.evaluate.candidates import Block, Candidate
from basketlens.evaluate.counting import weighted
from basketlens.evaluate.known import Floats, Known
from basketlens.evaluate.tasks import BASKETS, PAIRS, Queries
from basketlens.shopping import Projections

RIDGES: Final = (3.0, 6.0, 15.0)  # baskets, by their weight in EASE
HALF_LIVES: Final = (5.0, 10.0, 20.0, np.inf)  # weeks
HISTORY_WEIGHTS: Final = (0.5, 1.0, 2.0)  # against EASE
HISTORY_SHRINKS: Final = (2.0, 4.0, 8.0)  # baskets
COLD_BYPASS: Final = {BASKETS: (0.0, 1.0), PAIRS: (1.0,)}  # 1: attention itself stands for cold items
ATTENTION_WEIGHTS: Final = (0.5, 1.0, 2.0, 3.0, 5.0)  # against EASE


class Fitted(NamedTuple):
    """What training hands over."""

    items: Projections  # trained on pairs: attention of an item
    baskets: Projections  # trained on baskets: attention of the mean query of a basket


class Models(NamedTuple):
    """All that the methods are made of."""

    known: Known
    fitted: Fitted
    ease: Mapping[float, Ease]  # by ridge
    history: Mapping[float, tuple[sparse.csr_array, npt.NDArray[np.float64]]]  # by half-life


def with_attention(models: Models, task: str) -> Iterator[Candidate]:
    """Attention alone, and counts shrunk toward it.

    P(j | i) = (n_ij + prior a_ij) / (n_i + prior), n_i all of i's co-purchases; a basket adds up its items.  Items j that
    are cold have no counts to speak of: a_ij itself may stand for them, which lifts them over all that are known but were
    not bought with i.  The order is by P / popularity^discount.
    """
    for discount in DISCOUNTS[task]:
        alone = partial(_shrunk_toward_attention, models=models, task=task, prior=np.inf, discount=discount)
        yield Candidate("attention", {"prior": np.inf, "discount": discount}, alone)
        for prior, bypass in product(PRIORS[task], COLD_BYPASS[task]):
            parameters = {"prior": prior, "discount": discount, "cold_bypass": bypass}
            shrunk = partial(
                _shrunk_toward_attention,
                models=models,
                task=task,
                prior=prior,
                discount=discount,
                cold_bypass=bypass,
            )
            yield Candidate("counts + attention", parameters, shrunk)


def alone(models: Models) -> Iterator[Candidate]:
    """EASE at every ridge, basket attention, and the customer's own history."""
    for ridge in models.ease:
        yield Candidate("ease", {"ridge": ridge}, partial(_ease, models=models, ridge=ridge))
    yield Candidate("basket attention", {}, partial(_basket_attention, models=models))
    for weeks in models.history:
        history = partial(_history, models=models, half_life=weeks, shrink=0.0)
        yield Candidate("history", {"half_life_weeks": weeks}, history)


def in_pairs(models: Models, chosen: Mapping[str, Candidate]) -> Iterator[Candidate]:
    """EASE with basket attention, and EASE with history, from the best of each alone."""
    ridge = chosen["ease"].parameters["ridge"]
    half_life = chosen["history"].parameters["half_life_weeks"]
    for weight in ATTENTION_WEIGHTS:
        yield _blend(models, "ease + attention", {"ridge": ridge, "attention": weight})
    for weight in HISTORY_WEIGHTS:
        for shrink in HISTORY_SHRINKS:
            of_history = {"history": weight, "half_life_weeks": half_life, "history_shrink": shrink}
            yield _blend(models, "ease + history", {"ridge": ridge, **of_history})


def all_three(models: Models, chosen: Mapping[str, Candidate]) -> Iterator[Candidate]:
    """EASE with history as it was chosen, and basket attention."""
    for weight in ATTENTION_WEIGHTS:
        parameters = {**chosen["ease + history"].parameters, "attention": weight}
        yield _blend(models, "ease + attention + history", parameters)


def _blend(models: Models, method: str, parameters: Mapping[str, float]) -> Candidate:
    """EASE + attention * P(j | basket) + history * n_uj / (n_u + history_shrink)."""

    def score(block: Block) -> Floats:
        scores = _ease(block, models, parameters["ridge"]).copy()
        if "attention" in parameters:
            scores += np.float32(parameters["attention"]) * _basket_attention(block, models)
        if "history" in parameters:
            of = (parameters["half_life_weeks"], parameters["history_shrink"])
            scores += np.float32(parameters["history"]) * _history(block, models, *of)
        return scores

    return Candidate(method, parameters, score)


def _shrunk_toward_attention(
    block: Block, models: Models, task: str, prior: float, discount: float, cold_bypass: float = 0.0
) -> Floats:
    known, is_cold = models.known, models.known.is_cold
    by_popularity = per_popularity(known, discount)
    if np.isinf(prior):
        return _attended(block, models, task, prior) * by_popularity
    scores = shrunk_counts(block, known, prior) + _attended(block, models, task, prior)
    if cold_bypass:
        scores[:, is_cold] = _attended(block, models, task, np.inf)[:, is_cold]
    scores *= by_popularity
    return scores


def _ease(block: Block, models: Models, ridge: float) -> Floats:
    return block.part(("ease", ridge), lambda queries: ease_scores(queries.visible, models.ease[ridge]))


def _basket_attention(block: Block, models: Models) -> Floats:
    return block.part(
        "basket attention", lambda queries: basket_attention(models.fitted.baskets, queries.visible)
    )


def _history(block: Block, models: Models, half_life: float, shrink: float) -> Floats:
    def compute(customers: npt.NDArray[np.int64]) -> Floats:
        bought, baskets = models.history[half_life]
        divisor = np.maximum(baskets[customers] + shrink, 1e-12)  # who has no baskets has bought nothing
        return np.asarray(bought[customers].toarray() / divisor[:, None], np.float32)

    return block.part(("history", half_life, shrink), lambda queries: compute(queries.customers))


def _attended(block: Block, models: Models, task: str, prior: float) -> Floats:
    """Sum over what each query holds of prior / (n_i + prior) * a_ij; prior = inf: of a_ij.

    All priors are summed in one pass: the attention of an item costs more than adding it once more.
    """
    totals, priors = models.known.totals, (np.inf, *PRIORS[task])

    def compute(queries: Queries) -> Floats:
        weights = [np.ones(len(totals)) if np.isinf(p) else p / (totals + p) for p in priors]
        stacked = sparse.vstack([weighted(queries.visible, w) for w in weights], format="csr")
        return attended(models.fitted.items, stacked)

    at, rows = priors.index(prior), block.queries.visible.shape[0]
    return block.part("attended", compute)[at * rows : (at + 1) * rows]
