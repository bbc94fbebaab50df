import math

import pytest

from basketlens import schemas
from basketlens.masks import MASKS
from basketlens.report import evidence

UNKNOWN_COUNTS = {"n_ab": None, "support": None, "confidence": None, "lift": None}


def associate(rows, counts, links=(), **given):
    return evidence.associate(
        rows.itemsets(counts, n=1000, level=given.pop("mined_level", "name")),
        rows.links(*links),
        rows.link_stats(given.pop("log_sum_exp", {})),
        rows.items(given.pop("names", {"a": "Ale", "b": "Bread", "c": "Cheese"})),
        rows.vectors(given.pop("vectors", {})),
        **{"level": "name", "scale": 1.0, "prior": 100.0, "discount": 0.25, **given},
    )


def found(frame):
    """(item, neighbour) -> row."""
    return {(row.item_id, row.neighbor_id): row.asDict() for row in frame.collect()}


COUNTS = {("a",): 200, ("b",): 100, ("a", "b"): 50}


def test_a_frequent_pair_has_counts_in_both_directions(rows):
    pairs = found(associate(rows, COUNTS))
    assert set(pairs) == {("a", "b"), ("b", "a")}
    there = {k: pairs["a", "b"][k] for k in ("n_ab", "n_a", "n_b", "n", "support", "confidence", "lift")}
    assert there == {
        "n_ab": 50,
        "n_a": 200,
        "n_b": 100,
        "n": 1000,
        "support": 0.05,
        "confidence": 0.25,
        "lift": 2.5,
    }
    back = {
        k: pairs["b", "a"][k]
        for k in ("n_ab", "n_a", "n_b", "confidence", "lift", "item_name", "neighbor_name")
    }
    assert back == {"n_ab": 50, "n_a": 100, "n_b": 200, "confidence": 0.5, "lift": 2.5, "item_name": "Bread", "neighbor_name": "Ale"}  # fmt: skip


def test_counts_below_the_threshold_are_null_not_zero(rows):
    pairs = found(associate(rows, COUNTS, [("a", "c", 0.5, 0.6), ("c", "a", 0.5, 0.7)]))
    assert pairs["a", "c"].items() >= {**UNKNOWN_COUNTS, "n_a": 200, "n_b": None, "n": 1000}.items()
    assert pairs["c", "a"].items() >= {**UNKNOWN_COUNTS, "n_a": None, "n_b": 200, "kind": "text_only"}.items()
    assert pairs["a", "c"]["strength"] == pytest.approx(100 * 0.6 / 300)
    assert pairs["c", "a"]["strength"] == 0.7


def test_a_level_that_was_not_mined_has_links_alone(rows):
    pairs = found(associate(rows, COUNTS, [("a", "b", 0.5, 0.6)], mined_level="category"))
    assert set(pairs) == {("a", "b")}
    assert pairs["a", "b"].items() >= {**UNKNOWN_COUNTS, "n": None, "n_a": None, "kind": "text_only"}.items()


def test_a_pair_outside_the_links_gets_score_and_attention_from_the_vectors(rows):
    vectors = {"a": [0.6, 0.8], "b": [1.0, 0.0]}
    pairs = found(associate(rows, COUNTS, vectors=vectors, log_sum_exp={"a": 2.0, "b": 3.0}, scale=0.5))
    assert pairs["a", "b"]["score"] == pytest.approx(0.3, rel=1e-6)  # 0.6f as a double
    assert pairs["a", "b"]["attention"] == pytest.approx(math.exp(0.3 - 2), rel=1e-6)
    assert pairs["b", "a"]["attention"] == pytest.approx(math.exp(0.3 - 3), rel=1e-6)
    assert pairs["a", "b"]["kind"] == "basket_only"


def test_a_link_keeps_its_own_score(rows):
    links = [("a", "b", 0.75, 0.125)]
    pairs = found(
        associate(rows, COUNTS, links, vectors={"a": [1.0], "b": [1.0]}, log_sum_exp={"a": 1.0, "b": 1.0})
    )
    assert (pairs["a", "b"]["score"], pairs["a", "b"]["attention"]) == (0.75, 0.125)
    assert (pairs["a", "b"]["kind"], pairs["b", "a"]["kind"]) == ("complement", "basket_only")
    assert pairs["b", "a"]["score"] == 1.0


@pytest.mark.parametrize("given", [
    pytest.param({"vectors": {"a": [1.0]}, "log_sum_exp": {"a": 1.0, "b": 1.0}}, id="no-embedding"),
    pytest.param({"vectors": {"a": [1.0], "b": [1.0]}}, id="no-denominator"),
])  # fmt: skip
def test_attention_is_null_only_without_embedding_or_denominator(rows, given):
    pair = found(associate(rows, COUNTS, **given))["a", "b"]
    assert pair["attention"] is None
    assert pair["strength"] == pytest.approx(50 / 300)


def test_exact_independence_is_lift_1(rows):
    # 0.3 and 0.1 are no doubles: 30/300 over 100/1000 in another order gives 0.9999999999999999.
    pairs = found(associate(rows, {("a",): 300, ("b",): 100, ("a", "b"): 30}, [("a", "b", 0.1, 0.5)]))
    assert (pairs["a", "b"]["lift"], pairs["a", "b"]["kind"]) == (1.0, "complement")


def test_an_item_without_a_name_is_called_by_its_id(rows):
    assert found(associate(rows, COUNTS, names={"a": "Ale"}))["a", "b"]["neighbor_name"] == "b"


def test_ranks_are_total_and_count_from_1(rows):
    tied = {("a",): 100, ("b",): 100, ("c",): 100, ("a", "b"): 50, ("a", "c"): 50}
    links = [("a", "d", 0.1, 0.3), ("a", "e", 0.1, 0.2), ("a", "f", 0.1, 0.3)]
    ranked = associate(rows, tied, links).filter("item_id = 'a'").orderBy("rank").collect()
    assert [(r["rank"], r.neighbor_id) for r in ranked] == [(1, "b"), (2, "c"), (3, "d"), (4, "f"), (5, "e")]


@pytest.mark.parametrize("n", [3, 155_848, 999_999_937, 2**50 - 1])
def test_all_baskets_are_recovered_exactly_from_support(rows, n):
    counts = {(f"{i}",): count for i, count in enumerate({1, 2, n // 3, n // 7 + 1, n - 1, n})}
    assert evidence.basket_total(rows.itemsets(counts, n=n)).first().n == n


def test_products_are_read_through_their_names(rows):
    products = rows.of(
        schemas.PRODUCTS,
        {"product_id": "p1", "name_hash": "h"},
        {"product_id": "p2", "name_hash": "h"},
        {"product_id": "p3"},
    )
    embeddings = rows.of(schemas.EMBEDDINGS, {"name_hash": "h", "embedding": [1.0]})
    by_product = evidence.vectors_of(products, embeddings, level="product").collect()
    assert sorted(row.item_id for row in by_product) == ["p1", "p2"]
    assert evidence.vectors_of(products, embeddings, level="name").first().item_id == "h"


def test_projections_score_each_direction_by_itself(rows):
    projections = rows.of(
        schemas.PROJECTIONS,
        {"item_id": "a", "query": [1.0, 0.0], "key": [0.0, 1.0], "bias": 0.5},
        {"item_id": "b", "query": [0.0, 2.0], "key": [3.0, 0.0], "bias": -1.0},
    )
    pairs = found(
        evidence.associate(
            rows.itemsets(COUNTS, n=1000), rows.links(), rows.link_stats({"a": 4.0, "b": 5.0}), rows.items({}), projections,
            level="name", scale=7.0, prior=100.0, discount=0.25,
        )
    )  # fmt: skip
    assert {pair: row["score"] for pair, row in pairs.items()} == {("a", "b"): 2.0, ("b", "a"): 2.5}
    assert pairs["a", "b"]["attention"] == pytest.approx(math.exp(2.0 - 4.0))
    assert pairs["b", "a"]["attention"] == pytest.approx(math.exp(2.5 - 5.0))


@pytest.mark.parametrize(("mask", "attentive"), [
    pytest.param("all", {"ab", "ac", "ad", "ax"}, id="all"),
    pytest.param("same_department", {"ab"}, id="the-unknown-is-nobodys"),
    pytest.param("other_category", {"ac", "ad", "ax"}, id="the-unknown-is-everybodys"),
])  # fmt: skip
def test_what_the_mask_hides_has_attention_zero(rows, mask, attentive):
    items = rows.of(schemas.ITEMS, *(
        {"item_id": i, "level": "name", "category": g, "department": g}
        for i, g in (("a", "food"), ("b", "food"), ("c", "toys"), ("d", None))
    ))  # fmt: skip
    counts = {("a",): 200, **{("a", other): 50 for other in "bcdx"}}
    vectors = rows.vectors({i: [0.1] for i in "abcdx"})
    associated = evidence.associate(
        rows.itemsets(counts, n=1000), rows.links(), rows.link_stats({"a": 1.0, "b": None}), items, vectors,
        level="name", scale=1.0, mask=MASKS[mask], prior=100.0, discount=0.25,
    )  # fmt: skip
    pairs = found(associated)
    attention = {i + j: row["attention"] for (i, j), row in pairs.items() if i == "a"}
    assert {pair for pair, share in attention.items() if share} == attentive
    assert all(share is not None for share in attention.values())
    assert pairs["b", "a"]["attention"] is None  # the item has no key at all
