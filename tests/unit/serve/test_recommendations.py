"""`recommendations` through Spark on a small shop, against a dense computation of what it should hold."""

import datetime as dt
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from basketlens import schemas
from basketlens.ease import fit_ease, gram_of
from basketlens.errors import InputError, LimitError
from basketlens.evaluate.attending import basket_attention
from basketlens.evaluate.counting import purchase_history
from basketlens.mine import stage as mine
from basketlens.serve import stage
from basketlens.serve.plan import require_memory, tasks_for
from basketlens.settings_files import load_settings
from tests.builders import table
from tests.unit.evaluate.small import projections, shop
from tests.unit.folder_io import FolderIO

START = dt.datetime(2025, 1, 1, 12)
ITEMS, BASKETS = shop(3, items=20, baskets=300, customers=15)
IDS = [f"i{i:02d}" for i in range(20)]
OF_BASKETS = projections(5, 20)
SETTINGS = [
    "ease.max_items=12",
    "ease.ridge=5",
    "serve.recommendations=4",
    "mine.min_count=300",
    "privacy.min_customers=0",
]
WON = {"ridge": 20.0, "attention": 2.0, "history": 1.0, "half_life_weeks": 5.0, "history_shrink": 4.0}
WINNER = "ease + attention + history"


def given(spark, root, *, partitions=1, evaluated=(), customers=True):
    """The tables of the stages before, and `copurchases` as `mine` leaves it."""
    io = FolderIO(spark, root)
    lines = [
        {
            "basket_id": f"b{b:03d}", "product_id": IDS[i],
            "customer_key": f"c{u}" if (u := BASKETS.customers[b]) >= 0 and customers else None,
            "sold_at": START + dt.timedelta(days=int(BASKETS.days[b])),
        }
        for b in range(300)
        for i in BASKETS.held[[b]].indices
    ]  # fmt: skip
    io.given("lines", table(spark, schemas.LINES, *lines).repartition(partitions))
    products = [{"product_id": i, "name_hash": i} for i in [*IDS, "unsold"]]
    io.given("products", table(spark, schemas.PRODUCTS, *products).repartition(partitions))
    items = [{"item_id": i, "level": "name", "item_name": f"name {i}", "lines": 1} for i in IDS]
    items.append({"item_id": "unsold", "level": "name", "item_name": "unsold", "lines": 0})
    io.given("items", table(spark, schemas.ITEMS, *items))
    io.given("associations", table(spark, schemas.ASSOCIATIONS))
    if evaluated:
        vectors = zip(IDS, *(part.tolist() for part in OF_BASKETS), strict=True)
        rows = [dict(zip(schemas.PROJECTIONS.names, row, strict=True)) for row in vectors]
        rows.append({**rows[0], "item_id": "unsold"})
        io.given("basket_projections", table(spark, schemas.PROJECTIONS, *rows).repartition(partitions))
        io.given("evaluation", table(spark, schemas.EVALUATION, *evaluated))
    copurchases_of(io)
    return FolderIO(spark, root)


MINED: list[Path] = []  # where `mine` has left `copurchases`; the same for all shops here, so it runs once


def copurchases_of(io):
    if not MINED:
        mine.run(io, load_settings("base", SETTINGS, {}))
        MINED.append(Path(shutil.copytree(io.root / "staging" / "copurchases", io.root / "copurchases")))
        shutil.rmtree(io.root / "staging")
    shutil.copytree(MINED[0], io.root / "published" / "copurchases")


def figures(method=WINNER, **parameters):
    """An evaluation in which a method wins for baskets."""
    rows = [
        {"method": method, "task": "baskets.validation", "metric": "hr@10", "class": "all", "seed": 0, "value": 0.2},
        {"method": "confidence", "task": "pairs.validation", "metric": "recall@10", "class": "all", "seed": 0, "value": 0.2},
    ]  # fmt: skip
    chosen = {"method": method, "task": "baskets", "class": "chosen", "seed": 0}
    return rows + [{**chosen, "metric": name, "value": value} for name, value in parameters.items()]


def served(io, *changed):
    """Rows of `recommendations` by basket, in order of their ranks."""
    stage.run(io, load_settings("base", [*SETTINGS, *changed], {}))
    found = {}
    for row in io.read("recommendations").orderBy("basket_id", "rank").collect():
        found.setdefault(row.basket_id, []).append(row)
    return found


def latest():
    """Numbers of the latest basket of each customer; baskets are in order of their days, then ids."""
    return {int(u): b for b, u in enumerate(BASKETS.customers) if u >= 0}


def without(b):
    """All baskets but this one, as history is told."""
    keep = np.arange(300) != b
    return BASKETS._replace(
        held=BASKETS.held[keep], customers=BASKETS.customers[keep], days=BASKETS.days[keep]
    )


def expected(b, *, ease, attention=0.0, history=0.0, half_life=math.inf, shrink=0.0):
    """Scores (20,) of all items for a basket, dense; items that it holds are 0."""
    held = BASKETS.held[[b]]
    dense = np.zeros((20, 20))
    dense[np.ix_(ease.items, ease.items)] = ease.weights
    scores = held.toarray()[0] @ dense
    if attention:
        scores = scores + attention * basket_attention(OF_BASKETS, held)[0]
    if history:
        end = int(BASKETS.days.max()) + 1
        day0 = (START.date() - dt.date(1970, 1, 1)).days
        others = without(b)._replace(days=without(b).days + day0)
        bought, totals = purchase_history(others, customers=15, end=end + day0, half_life_weeks=half_life)
        u = BASKETS.customers[b]
        scores = scores + history * bought[[u]].toarray()[0] / (totals[u] + shrink)
    scores[held.indices] = 0
    return scores


def solved(ridge):
    return fit_ease(gram_of(BASKETS.held, max_items=12), ridge=ridge)


def check(rows, scores):
    """Ids, ranks and scores are those of a full sort."""
    order = sorted(np.flatnonzero(scores > 0), key=lambda i: (-scores[i], i))[:4]
    assert [r.score for r in rows] == pytest.approx([scores[i] for i in order], abs=1e-5)
    assert [r["rank"] for r in rows] == list(range(1, len(order) + 1))
    assert {r.item_id: r.score for r in rows} == {
        r.item_id: pytest.approx(scores[IDS.index(r.item_id)], abs=1e-5) for r in rows
    }


@pytest.fixture(scope="module")
def won(spark, tmp_path_factory):
    io = given(spark, tmp_path_factory.mktemp("won"), evaluated=figures(**WON))
    return io, served(io)


def test_the_winner_scores_the_latest_basket_of_every_customer(won):
    _, found = won
    assert set(found) == {f"b{b:03d}" for b in latest().values()}
    ease = solved(20.0)
    for u, b in latest().items():
        rows = found[f"b{b:03d}"]
        check(rows, expected(b, ease=ease, attention=2.0, history=1.0, half_life=5.0, shrink=4.0))
        assert {(r.customer_key, r.method, r.item_name == f"name {r.item_id}") for r in rows} == {
            (f"c{u}", WINNER, True)
        }
        before = without(b)
        own = before.held[np.flatnonzero(before.customers == u)].toarray().sum(axis=0)
        for r in rows:
            times = int(own[IDS.index(r.item_id)])
            assert r.is_repeat == (times > 0)
            assert (f"in {times} of the customer's" in r.evidence) == (times > 0)


def test_the_run_says_what_was_used(won):
    said = won[0].figures["recommendations"]
    assert (said["method"], said["ridge"], said["baskets"], said["candidates"]) == (WINNER, 20.0, 15, 20)
    assert (said["baskets_without"], said["tasks"]) == (0, 1)


def test_cuts_of_the_input_change_nothing(spark, won, tmp_path):
    other = given(spark, tmp_path, partitions=5, evaluated=figures(**WON))
    assert served(other) == won[1]


def test_without_figures_ease_alone_serves(spark, tmp_path):
    io = given(spark, tmp_path)
    ease = solved(5.0)
    found = served(io)
    for b in latest().values():
        check(found.get(f"b{b:03d}", []), expected(b, ease=ease))
    assert {r.method for rows in found.values() for r in rows} == {"ease"}


def test_open_baskets_come_in_place_of_the_latest(spark, tmp_path):
    io = given(spark, tmp_path, evaluated=figures(**WON))
    carts = [
        {"basket_id": "cart", "product_id": IDS[2], "customer_key": "c3"},
        {"basket_id": "cart", "product_id": "unsold", "customer_key": "c3"},
        {"basket_id": "guest", "product_id": IDS[2]},
        {"basket_id": "stranger", "product_id": "nobody knows it", "customer_key": "c99"},
    ]
    io.given("open_baskets", table(spark, schemas.OPEN_BASKETS, *carts))
    found = served(io, f"tables.read.open_baskets={Path(io.root) / 'published' / 'open_baskets'}")
    assert set(found) == {"cart", "guest", "stranger"}
    held = np.zeros((1, 20), np.float32)
    held[0, 2] = 1
    ease = solved(20.0)
    dense = np.zeros((20, 20))
    dense[np.ix_(ease.items, ease.items)] = ease.weights
    guest = held[0] @ dense + 2.0 * basket_attention(OF_BASKETS, sparse.csr_array(held))[0]
    guest[2] = 0
    check(found["guest"], guest)
    assert {r.is_repeat for r in found["guest"]} == {False}
    assert [r.customer_key for r in found["cart"]] == ["c3"] * 4
    assert any(r.is_repeat for r in found["cart"])
    assert all(r.evidence.startswith("attention") for r in found["stranger"])  # nothing else is known
    assert not {"unsold"} & {r.item_id for rows in found.values() for r in rows}


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        pytest.param(
            {"customers": False}, "no basket is open, and no line has a customer", id="no-customers"
        ),
        pytest.param({}, "leaves no co-purchases", id="another-level-mined"),
    ],
)
def test_who_cannot_be_served_is_said(spark, tmp_path, rows, missing):
    io = given(spark, tmp_path, **rows)
    if not rows:
        (tmp_path / "published" / "copurchases").rename(tmp_path / "elsewhere")
    stage.run(io, load_settings("base", SETTINGS, {}))
    assert missing in io.figures["recommendations"]
    assert "recommendations" not in io.written


def test_nothing_is_recommended_where_it_is_off(spark, tmp_path):
    io = FolderIO(spark, tmp_path)
    io.given("associations", table(spark, schemas.ASSOCIATIONS))
    stage.run(io, load_settings("base", ["serve.recommendations=0"], {}))
    assert io.written == ["cross_sell"]


def test_attention_that_won_and_is_not_there_is_missed(spark, tmp_path):
    io = given(spark, tmp_path, evaluated=figures(**WON))
    (tmp_path / "published" / "basket_projections").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="there is no table 'basket_projections'"):
        stage.run(io, load_settings("base", SETTINGS, {}))


def test_too_large_a_model_is_refused_beforehand():
    with pytest.raises(LimitError, match=r"would hold 3,6\d\d MiB: 1,000,000 items of 192 numbers"):
        require_memory(1_000_000, width=192, in_ease=6000, limit=3 << 30)
    require_memory(200_000, width=192, in_ease=6000, limit=3 << 30)


@pytest.mark.parametrize(
    ("baskets", "cores", "tasks"),
    [(10, 8, 1), (9_000, 8, 4), (100_000, 8, 8), (10_000_000, 8, 100), (10_000_000, 400, 400)],
)
def test_few_and_large_tasks(baskets, cores, tasks):
    assert tasks_for(baskets, cores=cores) == tasks
