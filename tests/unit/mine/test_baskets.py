from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from chispa import assert_df_equality

from basketlens.mine.baskets import items_per_basket
from basketlens.mine.encoding import encode_baskets
from basketlens.mine.facts import with_facts
from basketlens.mine.frequent import frequent_items


def test_baskets_of_several_levels(spark):
    lines = spark.createDataFrame(
        [("b1", "p1"), ("b1", "p2"), ("b1", "p1"), ("b2", "p3"), ("b3", "unknown"), ("b4", None)],
        "basket_id string, product_id string",
    )
    products = spark.createDataFrame(
        [("p1", "n1", "fruit", "food"), ("p2", "n1", None, "food"), ("p3", "n2", "milk", "dairy")],
        "product_id string, name_hash string, category string, department string",
    )
    levels = ["product", "name", "category", "department"]
    found = items_per_basket(with_facts(lines, stratify=""), products, levels, stratify="")
    assert found.select("basket").distinct().count() == 4
    rows = sorted(
        (
            r["n_lines"],
            *(sorted(items) for items in (r["product"], r["name"], r["category"], r["department"])),
        )
        for r in found.collect()
    )
    assert rows == [
        (1, [], [], [], []),  # b4: no product
        (1, ["p3"], ["n2"], ["milk"], ["dairy"]),
        (1, ["unknown"], [], [], []),  # b3: sold, but not in the catalogue
        (3, ["p1", "p2"], ["n1"], ["fruit"], ["food"]),
    ]


def test_codes_ascend_with_counts_and_then_against_ids(spark):
    sold = spark.createDataFrame(
        [(1, "b"), (1, "a"), (1, "é"), (1, "10"), (2, "b"), (2, "10"), (2, "é"), (3, "é"), (3, "9")],
        "basket long, item_id string",
    )
    wanted = [("b", 2, 0), ("10", 2, 1), ("é", 3, 2)]
    assert_df_equality(
        frequent_items(sold, min_count=2),
        spark.createDataFrame(wanted, "item_id string, count long, code int"),
        ignore_nullable=True,
        ignore_row_order=True,
    )


@pytest.mark.parametrize(
    ("baskets", "max_items", "coded"),
    [
        pytest.param(
            [["z", "é", "b"], [], ["10", "b"]], 9, [[0, 2], [0, 1]], id="frequent-items-in-order-of-code"
        ),
        pytest.param([["z"], ["é"], ["é", "z"]], 9, [], id="one-frequent-item-is-no-pair"),
        pytest.param(
            [["b", "é", "10"], ["b", "10"]], 2, [[1, 2], [0, 1]], id="too-many-keep-the-most-frequent"
        ),
        pytest.param([], 2, [], id="no-baskets"),
    ],
)
def test_encode_baskets(spark, baskets, max_items, coded):
    df = spark.createDataFrame([(row,) for row in baskets], "name array<string>").coalesce(1)
    found = encode_baskets(df, "name", pa.array(["b", "10", "é"]), max_items=max_items)
    assert [row["items"] for row in found.collect()] == coded


def test_nothing_is_frequent(spark):
    df = spark.createDataFrame([(["a", "b"],)], "name array<string>")
    assert encode_baskets(df, "name", pa.array([], pa.string()), max_items=5).collect() == []


def test_facts_of_a_basket(spark):
    at = [datetime(2025, 2, 1, 23), datetime(2025, 2, 2, 1)]  # Saturday, and Sunday of the same week
    lines = spark.createDataFrame(
        [
            ("b1", "p1", "k1", "s1", at[1], Decimal("1.2345")),
            ("b1", "p1", "k1", "s1", at[0], Decimal("0.0001")),
            ("b1", "p2", "k1", None, at[1], None),
            ("b2", "p1", None, None, None, None),
        ],
        "basket_id string, product_id string, customer_key string, store_id string, sold_at timestamp, "
        "amount decimal(18,4)",
    )
    key = {"store": "s1", "week": "2025-01-27", "promotion": "2025-02-01", "": None}
    for stratify, wanted in key.items():
        facts = with_facts(lines, stratify=stratify)
        first, second = (
            items_per_basket(facts, None, ["product"], stratify=stratify).orderBy("n_lines").collect()[::-1]
        )
        assert (first["total"], first["day"], first["stratum_key"]) == (12346, date(2025, 2, 1), wanted)
        assert sorted((sold["product"], sold["money"] or 0) for sold in first["sold"]) == [
            ("p1", 1),
            ("p1", 12345),
            ("p2", 0),
        ]
        assert first["customer"] is not None
        assert [second[name] for name in ("customer", "total", "day", "stratum_key")] == [None] * 4
