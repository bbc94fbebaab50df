import pyarrow as pa
import pytest
from chispa import assert_df_equality

from basketlens.mine.baskets import items_per_basket
from basketlens.mine.encoding import encode_baskets
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
    found = items_per_basket(lines, products, ["product", "name", "category", "department"])
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
