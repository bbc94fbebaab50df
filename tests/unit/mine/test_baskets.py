from chispa import assert_df_equality
from pyspark.sql import functions as F

from basketlens.mine.baskets import encode_baskets, items_per_basket
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


def test_codes_ascend_with_ids_and_baskets_hold_frequent_items_only(spark):
    sold = spark.createDataFrame(
        [
            (1, "b"),
            (1, "a"),
            (1, "é"),
            (1, "10"),
            (2, "b"),
            (2, "10"),
            (2, "é"),
            (3, "é"),
            (3, "9"),
            (4, "10"),
        ],
        "basket long, item_id string",
    )
    frequent = frequent_items(sold, min_count=2)
    wanted = [("10", 3, 0), ("b", 2, 1), ("é", 3, 2)]
    assert_df_equality(
        frequent,
        spark.createDataFrame(wanted, "item_id string, count long, code int"),
        ignore_nullable=True,
        ignore_row_order=True,
    )
    found = encode_baskets(sold, frequent, partitions=2)  # baskets 3 and 4 hold one frequent item: no pair
    assert [row["items"] for row in found.select("items").collect()] == [[0, 1, 2], [0, 1, 2]]
    assert found.select(F.spark_partition_id()).distinct().count() <= 2
