import pytest

from basketlens.errors import LimitError
from basketlens.mine import stage
from tests.unit.mine.local_io import LocalIO, settings_in


def mined(spark, folder, baskets, *assignments):
    """The stage at level product; `products` is not there to be read."""
    rows = [(f"b{i}", item) for i, basket in enumerate(baskets) for item in basket]
    lines = spark.createDataFrame(rows, "basket_id string, product_id string")
    settings = settings_in(folder, "mine.levels=['product']", "mine.min_count=2", *assignments)
    io = LocalIO(spark, settings, {"lines": lines})
    stage.run(io, settings)
    found = {"".join(r["items"]): r["count"] for r in io.read("itemsets").collect()}
    return io, found


@pytest.mark.parametrize(
    ("baskets", "wanted"),
    [
        pytest.param([], {}, id="no-lines"),
        pytest.param(["a", "b"], {}, id="no-frequent-item"),
        pytest.param(["ab", "ac", "bd"], {"a": 2, "b": 2}, id="no-frequent-pair"),
    ],
)
def test_nothing_to_find_gives_empty_tables(spark, tmp_path, baskets, wanted):
    io, found = mined(spark, tmp_path, baskets)
    assert found == wanted
    assert io.read("rules").collect() == []
    assert io.figures["baskets"] == len(baskets)


def test_figures_and_supports_are_of_all_baskets(spark, tmp_path):
    io, found = mined(spark, tmp_path, ["aabc", "abc", "z", "ab"], "mine.min_confidence=1.0")
    assert found == {"a": 3, "b": 3, "c": 2, "ab": 3, "ac": 2, "bc": 2, "abc": 2}
    assert io.figures == {
        "rows_in": 10,
        "lines": 10,
        "baskets": 4,
        "large_baskets": 0,
        "large_basket_lines": 0,
        "min_count": 2,
        "levels": {
            "product": {
                "items": 3,
                "pair_cells": 7,
                "expected_pairs": 0,
                "pairs": 3,
                "pruned_baskets": 2,
                "expected_itemsets": 7,
                "larger": 1,
                "itemsets": 7,
                "rules": 7,
            }
        },
        "min_customers": 0,
        "no_floor": "no line has a customer",
        "withheld": {"itemsets": 0, "rules": 0},
        "rule_drift": {"born": 0, "died": 0, "moved": 0, "stable": 0},
    }
    rules = {"".join(r["antecedent"]) + ">" + "".join(r["consequent"]) for r in io.read("rules").collect()}
    assert rules == {"a>b", "b>a", "c>a", "c>b", "c>ab", "ac>b", "bc>a"}  # not ab>c: 2 of 3
    supports = {"".join(r["items"]): r["support"] for r in io.read("itemsets").collect()}
    assert supports["ab"] == 0.75


def test_pairs_are_enough_when_no_more_are_wanted(spark, tmp_path):
    io, found = mined(spark, tmp_path, ["abc", "abc"], "mine.max_size=2")
    assert max(map(len, found)) == 2
    assert not any(table in {"pruned_product", "larger_product"} for table, *_ in io.steps)


def test_more_pairs_than_the_driver_may_hold_are_refused(spark, tmp_path):
    basket = [chr(0x4E00 + i) for i in range(46)]  # 1,035 pairs
    with pytest.raises(
        LimitError,
        match=r"(?s)More than 1,000 pairs.*Largest baskets: b0 \(46 items\).*mine\.min_support.*\(at 3 all pairs are sure to fit",
    ):
        mined(spark, tmp_path, [basket, basket], "mine.max_pairs=1000")
