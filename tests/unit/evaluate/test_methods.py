"""Every method against slow dense formulas in float64, on both tasks."""

import numpy as np
import pytest

from basketlens.ease import fit_ease, gram_of
from basketlens.evaluate import models as m
from basketlens.evaluate.baselines import baselines
from basketlens.evaluate.candidates import Block
from basketlens.evaluate.counting import purchase_history
from basketlens.evaluate.item2vec import in_out_vectors
from basketlens.evaluate.known import known_from
from basketlens.evaluate.split import Cuts, split_by_days
from basketlens.evaluate.tasks import BASKETS, PAIRS, Queries
from tests.unit.evaluate.small import dense_attention, projections, shop


class Dense:
    """The same training baskets, as tables that can be read off."""

    def __init__(self, task):
        items, baskets = shop(5, items=40, baskets=900)
        self.split = split_by_days(baskets, Cuts(60, 80), new_share=0.1, seed=0)
        self.known = known_from(items, self.split)
        self.fitted = m.Fitted(projections(1, 40), projections(2, 40))
        gram = gram_of(self.split.train.held, max_items=30)
        ease = {r: fit_ease(gram, ridge=r) for r in m.RIDGES}
        history = {
            w: purchase_history(self.split.train, customers=40, end=60, half_life_weeks=w)
            for w in m.HALF_LIVES
        }
        self.models = m.Models(self.known, self.fitted, ease, history)
        held = self.split.test.held[:25] if task == BASKETS else self.split.test.held[:0]
        if task == PAIRS:
            held = type(held)(np.eye(40, dtype=np.float32))
        customers = self.split.test.customers[:25] if task == BASKETS else np.full(40, -1)
        self.queries = Queries(held, customers)
        self.visible = held.toarray().astype(np.float64)
        train = self.split.train.held.toarray().astype(np.float64)
        self.b = len(train)
        self.n = train.sum(axis=0)
        self.c = train.T @ train * (1 - np.eye(40))
        self.t = self.c.sum(axis=1)
        self.expected = np.where(self.n < 5, self.n[self.n >= 5].mean(), self.n) / self.b
        self.item2vec = in_out_vectors(self.known, seed=0)

    def candidates(self, task):
        found = [*baselines(self.known, self.item2vec, task), *m.with_attention(self.models, task)]
        return [*found, *m.alone(self.models)] if task == BASKETS else found

    def summed(self, table):
        return self.visible @ table

    def mean(self, of):
        mean = self.visible @ of.queries / np.maximum(self.visible.sum(axis=1, keepdims=True), 1)
        return mean @ of.keys.T.astype(np.float64) + of.bias

    def ease(self, ridge):
        model, table = self.models.ease[ridge], np.zeros((40, 40))
        table[np.ix_(model.items, model.items)] = model.weights
        return self.summed(table)

    def basket_attention(self):
        e = np.exp(self.mean(self.fitted.baskets)) * (1 - self.visible)
        return e / e.sum(axis=1, keepdims=True)

    def history(self, weeks, shrink):
        scores = np.zeros((len(self.visible), 40))
        train = self.split.train
        for row, customer in enumerate(self.queries.customers):
            own = train.customers == customer if customer >= 0 else np.zeros(self.b, bool)
            weight = 0.5 ** ((60 - train.days[own]) / (7 * weeks))
            if own.any():
                scores[row] = weight @ train.held[own].toarray() / (weight.sum() + shrink)
        return scores

    def wanted(self, method, p):  # noqa: PLR0911, PLR0912 - a case a method
        with np.errstate(divide="ignore", invalid="ignore"):
            confidence = np.nan_to_num(self.c / self.n[:, None])
            lift = np.where(self.c > 0, np.log(self.c * self.b / self.n[:, None] / self.n), 0)
        a, discount = dense_attention(self.fitted.items), self.expected ** -p.get("discount", 0.0)
        match method:
            case "popularity":
                return np.repeat(self.n[None] / self.b, len(self.visible), axis=0)
            case "rules":
                rules = np.where((self.c > 0) & (self.c >= p["support"] * self.b), 1 + confidence, 0)
                best = (self.visible[:, :, None] * rules).max(axis=1)
                return np.where(best > 0, best, self.n / self.b)
            case "confidence":
                return self.summed(confidence)
            case "log-lift":
                return self.summed(lift * self.c / (self.c + p["shrink"]))
            case "counts / popularity":
                weights = np.where(self.n > 0, np.maximum(self.n, 1) ** -p["row_power"], 0)
                return self.summed(self.c * weights[:, None] * discount)
            case "counts + popularity":
                share = self.t / self.t.sum()
                return self.summed((self.c + p["prior"] * share) / (self.t[:, None] + p["prior"]) * discount)
            case "item2vec":
                bias = p["popularity_power"] * np.log(self.expected)
                return self.mean(self.item2vec._replace(bias=bias))
            case "cosine":
                e = self.known.vectors.astype(np.float64)
                return self.visible @ e / self.visible.sum(axis=1, keepdims=True) @ e.T
            case "attention":
                return self.summed(a * discount)
            case "counts + attention":
                shrunk = (self.c + p["prior"] * a) / (self.t[:, None] + p["prior"])
                is_bypassed = (self.n < 5) & (p["cold_bypass"] > 0)
                return self.summed(np.where(is_bypassed, a, shrunk) * discount)
            case "ease":
                return self.ease(p["ridge"])
            case "basket attention":
                return self.basket_attention()
            case "history":
                return self.history(p["half_life_weeks"], 0.0)
        raise AssertionError(method)


@pytest.mark.parametrize("task", [BASKETS, PAIRS])
def test_every_method_computes_what_it_says(task):
    dense = Dense(task)
    block, seen = Block(dense.queries), set()
    for candidate in dense.candidates(task):
        found = candidate.score(block)
        wanted = dense.wanted(candidate.method, candidate.parameters)
        assert found == pytest.approx(wanted, rel=2e-4, abs=2e-5), (candidate.method, candidate.parameters)
        seen.add(candidate.method)
    assert len(seen) == (13 if task == BASKETS else 10)


def test_scores_do_not_depend_on_what_was_scored_before():
    dense = Dense(BASKETS)
    shared, candidates = Block(dense.queries), dense.candidates(BASKETS)
    first = [candidate.score(shared).copy() for candidate in candidates]
    for candidate, wanted in zip(reversed(candidates), reversed(first), strict=True):
        assert (candidate.score(shared) == wanted).all()
        assert candidate.score(Block(dense.queries)) == pytest.approx(wanted, rel=1e-6)


def test_blends_are_sums_of_what_was_best_alone():
    dense = Dense(BASKETS)
    block = Block(dense.queries)
    best = {c.method: c for c in m.alone(dense.models)}  # the last of each grid
    pairs = list(m.in_pairs(dense.models, best))
    best |= {c.method: c for c in pairs}
    for candidate in [*pairs, *m.all_three(dense.models, best)]:
        p = candidate.parameters
        wanted = dense.ease(15.0)
        if "attention" in candidate.method:
            wanted = wanted + p["attention"] * dense.basket_attention()
        if "history" in candidate.method:
            wanted = wanted + p["history"] * dense.history(np.inf, p["history_shrink"])
        assert candidate.score(block) == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_item2vec_is_the_best_fit_of_its_width(monkeypatch):
    monkeypatch.setattr("basketlens.evaluate.item2vec.WIDTH", 6)
    dense = Dense(PAIRS)
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(dense.c * dense.t.sum() / dense.t[:, None] / dense.t)
    positive = np.where(dense.c > 0, np.maximum(pmi, 0), 0)
    left, values, right = np.linalg.svd(positive)
    of = in_out_vectors(dense.known, seed=1)
    best = left[:, :6] * values[:6] @ right[:6]
    assert of.queries @ of.keys.T == pytest.approx(best, abs=1e-3)
