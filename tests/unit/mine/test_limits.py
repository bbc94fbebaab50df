import random

import pytest

from basketlens.errors import LimitError
from basketlens.mine import stage
from tests.unit.mine.local_io import LocalIO, settings_in

TWINS = ["abcdefghij"] * 5 + [
    "klmnopqrst"
] * 3  # 2 x 1,023 itemsets of three or more and less at 3 baskets, 1,023 at 5


def begun(spark, folder, baskets, *assignments):
    rows = [(f"b{i}", item) for i, basket in enumerate(baskets) for item in basket]
    lines = spark.createDataFrame(rows, "basket_id string, product_id string")
    settings = settings_in(folder, "mine.levels=['product']", "mine.min_confidence=1.0", *assignments)
    return LocalIO(spark, settings, {"lines": lines}), settings


def mined(spark, folder, baskets, *assignments):
    io, settings = begun(spark, folder, baskets, *assignments)
    stage.run(io, settings)
    return io, {"".join(r["items"]): r["count"] for r in io.read("itemsets").collect()}


GUARDED = (
    "mine.min_count=3",
    "mine.max_size=3",
    "mine.max_itemsets=300",
)  # 350 of up to three items at 3 baskets


def test_the_guard_stops_and_says_what_would_fit(spark, tmp_path):
    with pytest.raises(LimitError) as stopped:
        mined(spark, tmp_path, [*TWINS, "xyzuvw1234567"], *GUARDED, "mine.engine=bitmap")
    assert stopped.value.exit_status == 2
    said = str(stopped.value)
    assert "About 350 itemsets of up to 3 items would be found at level product with min_count 3" in said
    assert "Largest baskets: b8 (13 items), b0 (10 items), b1 (10 items)" in said
    assert "Most frequent items: a (5 baskets), b (5 baskets), c (5 baskets)" in said
    assert "mine.min_count=4 would fit (about 175 itemsets)" in said


def test_mllib_finds_all_sizes_so_the_guard_counts_them(spark, tmp_path):
    with pytest.raises(LimitError, match=r"(?s)About 2,046 itemsets of any size .*min_count=4 would"):
        mined(spark, tmp_path, TWINS, "mine.min_count=3", "mine.max_size=3", "mine.max_itemsets=1100")


def test_the_support_is_raised_when_told_to(spark, tmp_path):
    io, found = mined(spark, tmp_path, TWINS, *GUARDED, "mine.engine=bitmap", "mine.over_limit=raise")
    figures = io.figures["levels"]["product"]
    assert (figures["raised_from"], figures["mined_count"], figures["expected_itemsets"]) == (3, 4, 350)
    assert len(found) == 175
    assert set(found.values()) == {5}


def test_nothing_fits(spark, tmp_path):
    with pytest.raises(LimitError, match=r"no mine\.min_count up to 4 would fit"):
        mined(
            spark,
            tmp_path,
            ["abcdefghij"] * 3,
            "mine.min_count=2",
            "mine.max_itemsets=100",
            "mine.engine=bitmap",
        )


SIGNS = [chr(0x4E00 + i) for i in range(46)]  # 1,035 pairs
NESTED = [  # item 0x4E00 + i is in i baskets, always with all that are in more
    [chr(0x4E00 + i) for i in range(60 - at, 60)] for at in range(60)
]


def tables(io):
    return {name: sorted(map(str, io.read(name).collect())) for name in ("itemsets", "rules")}


def test_more_pairs_than_may_be_are_foreseen_before_any_is_counted(spark, tmp_path):
    io, settings = begun(spark, tmp_path, [SIGNS] * 10, "mine.min_count=9", "mine.max_pairs=1000")
    with pytest.raises(LimitError) as stopped:  # each is expected in 45 / 46 of 10 baskets
        stage.run(io, settings)
    said = str(stopped.value)
    assert "About 1,035 pairs would be found at level product with min_count 9 if items had nothing" in said
    assert "Largest baskets: b0 (46 items)" in said
    assert "with mine.min_count=10 about 0 pairs are expected" in said
    written = {table for table, *_ in io.steps}
    assert "coded_product" in written
    assert not written & {"local_pairs_product", "pairs_product"}


def test_where_the_pairs_foreseen_are_too_many_the_level_is_mined_with_a_higher_count(spark, tmp_path):
    chosen = ("mine.max_pairs=1000", "mine.max_size=2")
    io, _ = mined(spark, tmp_path / "raised", NESTED, "mine.min_count=5", *chosen, "mine.over_limit=raise")
    figures = io.figures["levels"]["product"]
    assert figures["raised_from"] == 5
    assert figures["expected_pairs"] > 1000
    assert 5 < figures["mined_count"] <= 60
    direct, _ = mined(spark, tmp_path / "direct", NESTED, f"mine.min_count={figures['mined_count']}", *chosen)
    own = direct.figures["levels"]["product"]
    assert tables(io) == tables(direct)
    assert len(tables(io)["rules"]) > 100
    assert own["expected_pairs"] <= 1000, "the least count that fits was not taken"
    assert figures | own == figures | {"expected_pairs": own["expected_pairs"]}


def test_both_guards_raise_the_same_count(spark, tmp_path):
    """At 2 baskets there are 1,125 pairs, at 3 still 350 sets, at 7 (the third step above 3) 175; nothing foresees the pairs."""
    baskets = [SIGNS, SIGNS, *["klmnopqrst"] * 5, *["abcdefghij"] * 8]
    chosen = ("mine.max_size=3", "mine.engine=bitmap", "mine.max_itemsets=300", "mine.max_pairs=1000")
    direct, found = mined(spark, tmp_path / "direct", baskets, "mine.min_count=7", *chosen)
    assert len(found) == 175
    own = direct.figures["levels"]["product"]
    for partitions in (0, 2):  # in two partitions the candidates are too many already
        io, _ = mined(
            spark, tmp_path / f"in{partitions}", baskets, "mine.min_count=2", "mine.over_limit=raise",
            f"mine.partitions={partitions}", *chosen,
        )  # fmt: skip
        figures = io.figures["levels"]["product"]
        assert tables(io) == tables(direct)
        assert (figures["raised_from"], figures["mined_count"], figures["expected_pairs"]) == (2, 7, 190)
        for name in ("items", "pairs", "larger", "itemsets", "rules"):
            assert figures[name] == own[name], name


def test_a_count_that_leaves_no_pair_is_no_answer(spark, tmp_path):
    with pytest.raises(
        LimitError, match=r"(?s)More than 1,000 pairs.*Raised to 3 by mine\.over_limit: no pair"
    ):
        mined(
            spark, tmp_path, [SIGNS] * 2, "mine.min_count=2", "mine.max_pairs=1000", "mine.over_limit=raise"
        )


LARGE = ["abcdef", "abc", "ab", "ef", "ef"]  # counts: a b e f 3, c 2, d 1


@pytest.mark.parametrize("engine", ["mllib", "bitmap"])
def test_large_baskets_are_truncated_to_their_most_frequent_items(spark, tmp_path, engine):
    io, found = mined(
        spark, tmp_path, LARGE, "mine.min_count=2", "mine.max_basket_items=3", f"mine.engine={engine}"
    )
    figures = io.figures
    assert (figures["baskets"], figures["large_baskets"], figures["large_basket_lines"]) == (5, 1, 6)
    logged = {row["metric"]: (row["value"], row["detail"]) for row in io.read("data_quality").collect()}
    assert logged == {
        "large_baskets": (
            1.0,
            "1 basket has more than 3 different items, 6 receipt lines in all: each was cut to its 3 most frequent"
            " items (mine.max_basket_items, mine.large_baskets).",
        ),
        "large_basket_lines": (6.0, None),
    }
    # The first basket is a, b, e: with three baskets each, f is the one more and has the last id.
    assert found == {"a": 3, "b": 3, "c": 2, "e": 3, "f": 3, "ab": 3, "ef": 2}
    supports = {"".join(r["items"]): r["support"] for r in io.read("itemsets").collect()}
    assert supports["ab"] == 0.6


def test_large_baskets_are_excluded(spark, tmp_path):
    io, found = mined(
        spark, tmp_path, LARGE, "mine.min_count=2", "mine.max_basket_items=3", "mine.large_baskets=exclude"
    )
    figures = io.figures
    assert (figures["baskets"], figures["rows_in"], figures["large_baskets"]) == (4, 15, 1)
    assert found == {"a": 2, "b": 2, "e": 2, "f": 2, "ab": 2, "ef": 2}
    supports = {"".join(r["items"]): r["support"] for r in io.read("itemsets").collect()}
    assert supports["ab"] == 0.5


def test_no_rule_says_that_an_item_implies_its_own_category(spark, tmp_path):
    """Levels are mined apart: sides of a rule are of one level, also when an id is a name and a category at once."""
    draw = random.Random(5)
    catalogue = [(f"p{i}", f"n{i}", f"c{i % 3}", f"d{i % 2}") for i in range(8)]
    rows = [(f"b{basket}", f"p{draw.randrange(8)}") for basket in range(40) for _ in range(4)]
    levels = ["product", "name", "category", "department"]
    settings = settings_in(tmp_path, f"mine.levels={levels}", "mine.min_count=2", "mine.min_confidence=0.0")
    reads = []

    class Counting(LocalIO):
        def read(self, name):
            reads.append(name)
            return super().read(name)

    io = Counting(spark, settings, {
        "lines": spark.createDataFrame(rows, "basket_id string, product_id string"),
        "products": spark.createDataFrame(
            catalogue, "product_id string, name_hash string, category string, department string"
        ),
    })  # fmt: skip
    stage.run(io, settings)
    rules = io.read("rules").collect()
    assert {rule["level"] for rule in rules} == set(levels)
    for rule in rules:
        letters = {item[0] for side in (rule["antecedent"], rule["consequent"]) for item in side}
        assert letters == {rule["level"][0]}
    assert reads.count("lines") == 1
