import pytest

from basketlens import schemas
from basketlens.serve.cross_sell import cross_sell

COUNTED = {
    "n_ab": 321,
    "n_a": 1234,
    "n_b": 5000,
    "n": 100_000,
    "confidence": 321 / 1234,
    "lift": 5.14,
    "attention": 0.51,
}
RARE = {"n": 100_000, "attention": 0.51}


def associations(spark, *rows):
    """Associations of item `a` by default; kind complement, rank by place."""
    filled = []
    for place, row in enumerate(rows, 1):
        full = {"item_id": "a", "kind": "complement", "rank": place, "strength": 0.5, **row}
        full = {"item_name": full["item_id"].upper(), "neighbor_name": full["neighbor_id"].upper(), **full}
        filled.append(tuple(full.get(name) for name in schemas.ASSOCIATIONS.names))
    return spark.createDataFrame(filled, schemas.ASSOCIATIONS)


def served(frame, companions=10):
    rows = cross_sell(frame, companions=companions).orderBy("item_id", "rank").collect()
    return [(row.item_id, row["rank"], row.companion_id) for row in rows]


def test_companions_follow_rank_up_to_the_limit(spark):
    frame = associations(spark, {"neighbor_id": "z"}, {"neighbor_id": "y"}, {"neighbor_id": "x"})
    assert served(frame, companions=2) == [("a", 1, "z"), ("a", 2, "y")]


def test_substitutes_are_left_out_and_leave_no_gap(spark):
    frame = associations(
        spark,
        {"neighbor_id": "x"},
        {"neighbor_id": "y", "kind": "substitute"},
        {"neighbor_id": "z", "kind": "text_only"},
    )
    assert served(frame) == [("a", 1, "x"), ("a", 2, "z")]


def test_an_item_with_substitutes_alone_has_no_row(spark):
    frame = associations(
        spark, {"neighbor_id": "x"}, {"item_id": "b", "neighbor_id": "y", "kind": "substitute"}
    )
    assert served(frame) == [("a", 1, "x")]


@pytest.mark.parametrize(("pair", "wanted"), [
    pytest.param(COUNTED, "bought together in 321 of 1,234 baskets (26%), 5.1 times chance; names related 1.02 times even", id="both"),
    pytest.param({**COUNTED, "attention": None}, "bought together in 321 of 1,234 baskets (26%), 5.1 times chance", id="counts-alone"),
    pytest.param({**COUNTED, "n_ab": 47, "confidence": 0.0381, "lift": 0.456}, "bought together in 47 of 1,234 baskets (3.8%), 0.46 times chance; names related 1.02 times even", id="less-than-chance"),
    pytest.param({**COUNTED, "confidence": 0.0026, "lift": 1234.5}, "bought together in 321 of 1,234 baskets (0.26%), 1,234 times chance; names related 1.02 times even", id="small-share-large-lift"),
    pytest.param(RARE, "no counts yet; names related 1.02 times even", id="item-too-rare"),
    pytest.param({**RARE, "n_a": 900}, "no counts yet; names related 1.02 times even", id="companion-too-rare"),
    pytest.param({**RARE, "n_a": 900, "n_b": 800}, "too few baskets together to count; names related 1.02 times even", id="pair-too-rare"),
])  # fmt: skip
def test_evidence_in_words(spark, pair, wanted):
    # Three items with names: an even share of attention is 1/2.
    others = [{"item_id": i, "neighbor_id": "a", "kind": "text_only"} for i in ("b", "c")]
    frame = associations(spark, {"neighbor_id": "b", **pair}, *others)
    assert cross_sell(frame, companions=1).filter("item_id = 'a'").first().evidence == wanted


def test_result_keeps_its_contract(spark):
    frame = cross_sell(associations(spark, {"neighbor_id": "b", **COUNTED}), companions=1)
    assert frame.columns == schemas.CROSS_SELL.names
    assert frame.first().companion_name == "B"
