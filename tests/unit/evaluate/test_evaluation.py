import math

import numpy as np
import pytest
from scipy import sparse

from basketlens.evaluate.evaluation import EvaluateOptions, evaluate
from basketlens.evaluate.models import Fitted
from basketlens.evaluate.split import Cuts
from basketlens.evaluate.winners import winners
from basketlens.shopping import Baskets
from tests.unit.evaluate.small import projections, shop

OPTIONS = EvaluateOptions(new_share=0.1, max_queries=200, resamples=50, ease_max_items=40)
CUTS = Cuts(60, 80)


def fit(vectors, train, counts, purchases, is_new, seed):
    return Fitted(projections(seed, len(vectors)), projections(seed + 1, len(vectors)))


@pytest.fixture(scope="module")
def rows():
    return evaluate(*shop(0), CUTS, fit, OPTIONS, 1)


def test_same_seed_same_table(rows):
    assert evaluate(*shop(0), CUTS, fit, OPTIONS, 1) == rows


def test_every_method_has_its_figures_on_both_parts(rows):
    figures = {
        (r.method, r.task) for r in rows if r.metric in ("hr@10", "recall@10") and " minus " not in r.method
    }
    for task, methods in (("baskets", 16), ("pairs", 11)):
        on = {part: {m for m, t in figures if t == f"{task}.{part}"} for part in ("validation", "test")}
        assert on["validation"] == on["test"]
        assert len(on["test"]) == methods


def test_keys_are_unique_and_figures_lie_in_their_intervals(rows):
    assert len({(r.method, r.task, r.metric, r.of_class) for r in rows}) == len(rows)
    for r in rows:
        assert not math.isnan(r.value)
        if r.low is not None:
            assert r.low <= r.value + 0.2 and r.value - 0.2 <= r.high
            assert " minus " in r.method or 0 <= r.value <= 1


def test_figures_that_follow_from_others(rows):
    by = {(r.method, r.task, r.metric, r.of_class): r.value for r in rows}
    hit = by["ease", "baskets.test", "hr@10", "all"]
    assert hit > 0
    assert by["ease", "baskets.test", "recall@10", "all"] == hit
    assert by["ease", "baskets.test", "precision@10", "all"] == pytest.approx(hit / 10)
    assert by["ease", "baskets.test", "f1@10", "all"] == pytest.approx(2 * hit / 11)
    minus = by["ease + attention minus ease", "baskets.test", "hr@10", "all"]
    assert minus == pytest.approx(by["ease + attention", "baskets.test", "hr@10", "all"] - hit)


def test_training_sees_nothing_of_validation_and_test_and_the_test_decides_nothing():
    items, baskets = shop(0)
    _, others = shop(7)
    seen = []

    def watched(vectors, train, counts, purchases, is_new, seed):
        seen.append((train.held.toarray(), train.days, train.customers, counts.toarray(), purchases))
        return fit(vectors, train, counts, purchases, is_new, seed)

    def table(first_changed: int):
        held = np.where(
            (baskets.days < first_changed)[:, None], baskets.held.toarray(), others.held.toarray()
        )
        return evaluate(items, Baskets(sparse.csr_array(held), *baskets[1:]), CUTS, watched, OPTIONS, 1)

    untouched, other_test, other_validation = table(1000), table(CUTS.test), table(CUTS.validation)
    for later in seen[1:]:
        assert all((a == b).all() for a, b in zip(seen[0], later, strict=True))
    assert seen[0][1].max() < CUTS.validation
    decided = [[r for r in rows if r.of_class == "chosen"] for rows in (untouched, other_test)]
    assert decided[0] == decided[1]
    assert winners(untouched) == winners(other_test)
    assert winners(untouched) != winners(other_validation)
    assert untouched != other_test


def test_attention_that_knows_the_couples_wins_both_tasks():
    """The table must be able to say that training pays: couples (2i, 2i + 1) are all there is to know."""

    def knowing(vectors, train, counts, purchases, is_new, seed):
        n = len(vectors)
        couples = 6 * np.eye(n, dtype=np.float32)
        partner = np.arange(n) ^ 1
        of = projections(0, n)._replace(
            queries=couples[partner], keys=np.eye(n, dtype=np.float32), bias=np.log(purchases + 1)
        )
        return Fitted(of, of)

    items, baskets = shop(0, baskets=1500)
    rows = evaluate(items, baskets, CUTS, knowing, OPTIONS, 1)
    value = {r.method: r.value for r in rows if (r.task, r.metric) == ("pairs.validation", "cold_in@50")}
    new = {
        r.method: r.value for r in rows if (r.task, r.metric, r.of_class) == ("pairs.test", "found@10", "new")
    }
    assert value["attention"] >= value["confidence"]
    assert new["counts + attention"] == 1.0 > new["confidence"]
