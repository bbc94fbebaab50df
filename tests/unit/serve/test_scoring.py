"""Scores and reasons of recommendations, against the code that measured the methods."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from basketlens.ease import fit_ease, gram_of
from basketlens.evaluate import models as m
from basketlens.evaluate.candidates import Block
from basketlens.evaluate.counting import purchase_history
from basketlens.evaluate.tasks import Queries
from basketlens.evaluate.winners import Blend, Winner, blend_of
from basketlens.serve.fields import ONE, Options
from basketlens.serve.reading import Asked, Model
from basketlens.serve.scoring import best_items, pages, parts_of
from basketlens.serve.sentences import Reason, sentence
from basketlens.shopping import Baskets
from tests.unit.evaluate.small import projections, shop

OF_HISTORY = {"half_life_weeks": 5.0}
ALL_HISTORY = {"history": 2.0, "history_shrink": 4.0, **OF_HISTORY}
METHODS = [
    ("ease", {"ridge": 6.0}),
    ("basket attention", {}),
    ("history", OF_HISTORY),
    ("ease + attention", {"ridge": 6.0, "attention": 3.0}),
    ("ease + history", {"ridge": 6.0, **ALL_HISTORY}),
    ("ease + attention + history", {"ridge": 6.0, "attention": 3.0, **ALL_HISTORY}),
]


def evaluated(method, parameters, models, queries):
    """Scores by the candidate of `evaluate` of this name and these parameters."""
    chosen = {
        "ease": m.Candidate("ease", {"ridge": 6.0}, None),
        "history": m.Candidate("history", OF_HISTORY, None),
        "ease + history": m.Candidate("ease + history", {"ridge": 6.0, **ALL_HISTORY}, None),
    }
    every = [*m.alone(models), *m.in_pairs(models, chosen), *m.all_three(models, chosen)]
    [candidate] = [c for c in every if c.method == method and dict(c.parameters) == parameters]
    return candidate.score(Block(queries))


@pytest.mark.parametrize(("method", "parameters"), METHODS, ids=[method for method, _ in METHODS])
@pytest.mark.parametrize("seed", range(2))
def test_scores_are_those_that_were_evaluated(method, parameters, seed):
    items, baskets = shop(seed)
    train = Baskets(baskets.held[:1200], baskets.customers[:1200], baskets.days[:1200])
    later = slice(1200, 1300)
    queries = Queries(sparse.csr_array(baskets.held[later]), baskets.customers[later])
    ease = {6.0: fit_ease(gram_of(train.held, max_items=30), ridge=6.0)}
    end = int(train.days.max()) + 1
    history = purchase_history(train, customers=40, end=end, half_life_weeks=5.0)
    models = m.Models(None, m.Fitted(None, projections(seed, 60)), ease, {5.0: history})
    wanted = evaluated(method, parameters, models, queries)

    bought, totals = history
    ids = pa.array(items.ids.tolist())
    model = Model(ids, items.ids.tolist(), models.fitted.baskets, np.ones(60, bool), ease[6.0])
    asked = Asked(
        queries.visible, None, sparse.csr_array(bought[queries.customers].astype(np.float64)), None, totals[queries.customers]
    )  # fmt: skip
    blend = blend_of(Winner("baskets", method, method, parameters, 0.0))
    assert parts_of(asked, model, blend).total() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_are_those_of_a_full_sort(seed):
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 6, (30, 12)).astype(np.float32)  # many ties, many zeros
    held = sparse.csr_array((draw.random((30, 12)) < 0.2).astype(np.float32))
    top = int(draw.integers(1, 14))
    found = best_items(scores.copy(), held, top=top)
    for row, items in enumerate(found):
        free = [i for i in range(12) if not held[row, i] and scores[row, i] > 0]
        assert items.tolist() == sorted(free, key=lambda i: (-scores[row, i], i))[:top]


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        pytest.param(
            Reason("oat milk, 1 l", 0.3, 3, 12, 0.2, 0.1, 41.2),
            "bought with oat milk, 1 l; in 3 of the customer's 12 other baskets; attention 41.2 times even",
            id="all",
        ),
        pytest.param(
            Reason("oat milk", 0.1, 1, 1, 0.2, 0.3, 1234.5),
            "attention 1,234 times even; in 1 of the customer's 1 other basket; bought with oat milk",
            id="strongest-first",
        ),
        pytest.param(Reason("", 0.0, 0, 12, 0.0, 0.1, 0.5), "attention 0.50 times even", id="attention-alone"),
        pytest.param(Reason("tea", 0.2, 0, 0, 0.0, 0.0, 0.0), "bought with tea", id="ease-alone"),
    ],
)  # fmt: skip
def test_evidence_in_words(reason, wanted):
    assert sentence(reason) == wanted


# Rows of a task: three items, EASE of two of them, two baskets.
ROWS = {
    "row_kind": [0, 0, 0, 1, 1, 2, 2],
    "key_id": ["a", "b", "c", "a", "b", "cart 1", "cart 2"],
    "name": ["apple", "bread", "cake", None, None, None, None],
    "query": [[1.0], [1.0], [1.0], None, None, None, None],
    "key": [[0.0], [0.0], [math.log(3.0)], None, None, None, None],
    "bias": [0.0, 0.0, 0.0, None, None, None, None],
    "weights": [None] * 3 + [np.array(w, "<f4").tobytes() for w in ([0, 0.5], [0.25, 0])] + [None] * 2,
    "items": [None] * 5 + [["b", "sold out"], ["a"]],
    "customer": [None] * 5 + ["c1", None],
    "bought": [None] * 5 + [["a", "b"], None],
    "times": [None] * 5 + [[1, 2], None],
    "recent": [None] * 5 + [[ONE, 2 * ONE], None],
    "other_baskets": [None] * 5 + [3, 0],
    "other_recent": [None] * 5 + [3 * ONE, 0],
}
TYPES = {
    "row_kind": pa.int32(), "query": pa.list_(pa.float32()), "key": pa.list_(pa.float32()), "bias": pa.float64(),
    "weights": pa.binary(), "items": pa.list_(pa.string()), "bought": pa.list_(pa.string()),
    "times": pa.list_(pa.int32()), "recent": pa.list_(pa.int64()), "other_baskets": pa.int32(),
    "other_recent": pa.int64(),
}  # fmt: skip
ALL = Blend(1.0, 50.0, 1.0, 1.0, math.inf, 1.0)


def batch(**changed):
    rows = {**ROWS, **changed}
    return pa.RecordBatch.from_pydict({n: pa.array(v, TYPES.get(n, pa.string())) for n, v in rows.items()})


def recommended(batches, *, blend=ALL, top=10, cells=1000):
    found = pa.Table.from_batches(pages(batches, Options(blend, "all", top, cells)))
    return found.to_pylist()


def test_a_small_task_by_hand():
    """Cart 1 holds b: a scores .25 + 1/4 + 1/(3 + 1), c scores 0 + 3/4 + 0.  Cart 2 holds a: b .5 + 1/4, c 3/4."""
    rows = recommended([batch()])
    assert [(r["basket_id"], r["rank"], r["item_id"], r["score"]) for r in rows] == [
        ("cart 1", 1, "a", 0.75),
        ("cart 1", 2, "c", pytest.approx(0.75, abs=1e-6)),
        ("cart 2", 1, "b", 0.75),
        ("cart 2", 2, "c", pytest.approx(0.75, abs=1e-6)),
    ]
    assert [(r["customer_key"], r["is_repeat"], r["item_name"], r["method"]) for r in rows[:3]] == [
        ("c1", True, "apple", "all"),
        ("c1", False, "cake", "all"),
        (None, False, "bread", "all"),
    ]
    assert rows[0]["evidence"] == (
        "bought with bread; in 1 of the customer's 3 other baskets; attention 0.50 times even"
    )
    assert rows[1]["evidence"] == "attention 1.5 times even"


@pytest.mark.parametrize("cells", [1, 3, 6])
def test_cuts_of_batches_and_blocks_change_nothing(cells):
    whole = batch()
    pieces = [whole.slice(i, 1) for i in range(len(whole))]
    assert recommended(pieces, cells=cells) == recommended([whole])


def test_an_item_without_vectors_is_never_attended_to():
    without = batch(query=[[1.0], [1.0], None] + [None] * 4, key=[[0.0], [0.0], None] + [None] * 4)
    rows = recommended([without], blend=Blend(0.0, 0.0, 1.0, 0.0, math.inf, 0.0))
    assert [(r["basket_id"], r["item_id"], r["score"]) for r in rows] == [
        ("cart 1", "a", 1.0),
        ("cart 2", "b", 1.0),
    ]


def test_a_task_without_baskets_gives_nothing():
    assert list(pages([batch().slice(0, 5)], Options(ALL, "all", 10, 1000))) == []


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(Exception, match="'basket_projections' holds numbers that are not finite"):
        recommended([batch(bias=[0.0, math.nan, 0.0] + [None] * 4)])
