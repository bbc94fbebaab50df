"""Methods without a trained model: popularity, rules, counts, item2vec, untrained cosine.

Grids are part of the protocol: each method gets a handful of values around what its literature uses, and the choice
falls on validation.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Final

import numpy as np
from scipy import sparse

from basketlens.evaluate.attending import mean_query
from basketlens.evaluate.candidates import Block, Candidate
from basketlens.evaluate.counting import (
    by_rules,
    inverse,
    pair_rules,
    shrunk_log_lift,
    summed,
    weighted,
)
from basketlens.evaluate.known import Floats, Known
from basketlens.evaluate.tasks import BASKETS, PAIRS
from basketlens.shopping import Projections

SUPPORTS: Final = (0.00003, 0.0001, 0.0003, 0.001)  # share of baskets
SHRINKS: Final = (5.0, 20.0, 80.0)  # baskets
ROW_POWERS: Final = {BASKETS: (0.3, 0.5, 0.7), PAIRS: (1.0,)}  # for one item it changes no order
COLUMN_POWERS: Final = (0.1, 0.3, 0.5)
PRIORS: Final = {BASKETS: (100.0, 300.0, 1000.0), PAIRS: (500.0, 1500.0, 4000.0)}  # co-purchases
DISCOUNTS: Final = {BASKETS: (0.0, 0.2, 0.3, 0.4, 0.5), PAIRS: (0.0, 0.1, 0.2, 0.3)}

BIAS_POWERS: Final = (0.0, 0.5, 1.0)  # of popularity, added to item2vec's scores as a logarithm


def baselines(known: Known, item2vec: Projections, task: str) -> Iterator[Candidate]:
    """Every baseline at every value of its grid, for one task."""
    yield Candidate("popularity", {}, partial(_by_popularity, known=known))
    for support in SUPPORTS:
        rules = partial(_by_rules, known=known, rules=pair_rules(known, support))
        yield Candidate("rules", {"support": support}, rules)
    yield Candidate("confidence", {}, partial(_divided, known=known, power=1.0))
    for shrink in SHRINKS:
        lifted = partial(_by_lift, table=shrunk_log_lift(known, shrink))
        yield Candidate("log-lift", {"shrink": shrink}, lifted)
    for power, discount in product(ROW_POWERS[task], COLUMN_POWERS):
        divided = partial(_divided, known=known, power=power, discount=discount)
        yield Candidate("counts / popularity", {"row_power": power, "discount": discount}, divided)
    for prior, discount in product(PRIORS[task], DISCOUNTS[task]):
        shrunk = partial(_shrunk_toward_popularity, known=known, prior=prior, discount=discount)
        yield Candidate("counts + popularity", {"prior": prior, "discount": discount}, shrunk)
    for power in BIAS_POWERS:
        biased = item2vec._replace(bias=power * np.log(known.expected_popularity))
        yield Candidate("item2vec", {"popularity_power": power}, partial(_by_vectors, of=biased))
    untrained = Projections(known.vectors, known.vectors, np.zeros(len(known.vectors)))
    yield Candidate("cosine", {}, partial(_by_vectors, of=untrained))


def shrunk_counts(block: Block, known: Known, prior: float) -> Floats:
    """Sum over what each query holds of n_ij / (n_i + prior), n_i all of i's co-purchases: a shared part."""
    return block.part(
        ("counts", prior),
        lambda queries: summed(weighted(queries.visible, inverse(known.totals + prior)), known.counts),
    )


def per_popularity(known: Known, discount: float) -> Floats:
    """Factors (n,) that divide scores by popularity^discount."""
    return np.asarray(known.expected_popularity**-discount, np.float32)


def _by_popularity(block: Block, known: Known) -> Floats:
    return np.repeat(known.popularity[None], block.queries.visible.shape[0], axis=0)


def _by_rules(block: Block, known: Known, rules: sparse.csr_array) -> Floats:
    return by_rules(block.queries.visible, rules, known.popularity)


def _by_lift(block: Block, table: sparse.csr_array) -> Floats:
    return summed(block.queries.visible, table)


def _by_vectors(block: Block, of: Projections) -> Floats:
    return mean_query(of, block.queries.visible)


def _divided(block: Block, known: Known, power: float, discount: float = 0.0) -> Floats:
    """Sum over what each query holds of n_ij / purchases_i^power / popularity_j^discount."""
    weights = inverse(known.purchases.astype(np.float64) ** power)
    scores = block.part(
        ("divided", power),
        lambda queries: summed(weighted(queries.visible, weights), known.counts),
    )
    return scores * per_popularity(known, discount) if discount else scores


def _shrunk_toward_popularity(block: Block, known: Known, prior: float, discount: float) -> Floats:
    """Sum of (n_ij + prior p_j) / (n_i + prior), p_j the share of all co-purchases that j is in."""
    share = (known.totals / known.totals.sum()).astype(np.float32)
    pull = np.asarray(block.queries.visible @ (prior / (known.totals + prior)), np.float32)  # (b,)
    scores: Floats = pull[:, None] * share
    scores += shrunk_counts(block, known, prior)
    scores *= per_popularity(known, discount)
    return scores
