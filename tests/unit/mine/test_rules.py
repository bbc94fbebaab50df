import pytest

from basketlens.mine.rules import confident_rules, with_is_redundant, with_measures

# Of 100 baskets.  Confidence of "-> b": alone 0.40, with x 0.30, with y 0.25, with x and y 0.35.
NOT_MONOTONE = {"b": 40, "x": 40, "y": 40, "bx": 12, "by": 10, "xy": 20, "bxy": 7}
BIG = 4_000_000_000  # two such counts multiply to more than a long holds


def table(spark, sets, level="product"):
    rows = [(level, list(items), len(items), count) for items, count in sets.items()]
    return spark.createDataFrame(rows, "level string, items array<string>, size int, count long")


def rules_of(spark, sets, *, baskets, min_confidence=0.0, level="product"):
    found = confident_rules(table(spark, sets, level), baskets=baskets, min_confidence=min_confidence)
    rows = with_measures(with_is_redundant(found)).collect()
    rules = {"".join(r["antecedent"]) + ">" + "".join(r["consequent"]): r for r in rows}
    assert len(rules) == len(rows)
    return rules


def test_every_split_is_a_rule(spark):
    rules = rules_of(spark, NOT_MONOTONE, baskets=100)
    triple = {"b>xy", "x>by", "y>bx", "bx>y", "by>x", "xy>b"}
    assert set(rules) == triple | {"b>x", "x>b", "b>y", "y>b", "x>y", "y>x"}


def test_measures(spark):
    rule = rules_of(spark, {"a": 20, "b": 40, "ab": 10}, baskets=100)["a>b"]
    assert [rule[name] for name in ("n_ab", "n_a", "n_b", "n")] == [10, 20, 40, 100]
    assert rule["support"] == pytest.approx(0.1)
    assert rule["confidence"] == pytest.approx(0.5)
    assert rule["lift"] == pytest.approx(1.25)
    assert rule["leverage"] == pytest.approx(0.02)
    assert rule["conviction"] == pytest.approx(1.2)
    assert rule["p_value"] is rule["q_value"] is rule["customers"] is None


def test_conviction_of_a_certain_rule_is_null(spark):
    rules = rules_of(spark, {"a": 10, "b": 40, "ab": 10}, baskets=100)
    assert (rules["a>b"]["confidence"], rules["a>b"]["conviction"]) == (1.0, None)


def test_smaller_antecedents_of_any_size_make_redundant(spark):
    rules = rules_of(spark, NOT_MONOTONE, baskets=100)
    assert rules["xy>b"]["is_redundant"]  # surer than x>b and y>b, but not than b alone
    rarer = rules_of(spark, NOT_MONOTONE, baskets=200)
    assert not rarer["xy>b"]["is_redundant"]  # b alone is now 0.20


def test_an_equally_sure_part_makes_redundant_and_a_less_sure_does_not(spark):
    sets = {"b": 40, "x": 40, "y": 40, "bx": 20, "by": 10, "xy": 20, "bxy": 10}
    assert rules_of(spark, sets, baskets=1000)["xy>b"]["is_redundant"]  # 10/20 = 20/40
    assert not rules_of(spark, sets | {"bx": 19}, baskets=1000)["xy>b"]["is_redundant"]


def test_close_fractions_of_large_counts_are_told_apart(spark):
    sets = {"b": BIG, "x": BIG, "y": BIG, "bx": BIG - 2, "by": BIG // 2, "xy": BIG - 1, "bxy": BIG - 3}
    # (BIG-2)/BIG against (BIG-3)/(BIG-1): they differ by 2/BIG^2 = 1.2e-19, doubles do not see it.
    assert rules_of(spark, sets, baskets=3 * BIG)["xy>b"]["is_redundant"]
    sets |= {"bx": BIG - 3, "bxy": BIG - 3}
    assert not rules_of(spark, sets, baskets=3 * BIG)["xy>b"]["is_redundant"]


@pytest.mark.parametrize(
    ("min_confidence", "kept"), [(0.1, True), (0.3, True), (0.3000001, False), (1e-05, True)]
)
def test_a_confidence_at_the_floor_stays(spark, min_confidence, kept):
    sets = {"a": 10, "b": 100, "ab": 3}
    assert ("a>b" in rules_of(spark, sets, baskets=200, min_confidence=min_confidence)) is kept


def test_levels_do_not_mix(spark):
    both = table(spark, {"a": 4, "b": 5, "ab": 2}, "name").unionByName(
        table(spark, {"a": 8, "b": 9, "ab": 8}, "product")
    )
    found = confident_rules(both, baskets=20, min_confidence=0.0).collect()
    counts = {(r["level"], *r["antecedent"]): (r["n_ab"], r["n_a"], r["n_b"]) for r in found}
    assert counts == {
        ("name", "a"): (2, 4, 5),
        ("name", "b"): (2, 5, 4),
        ("product", "a"): (8, 8, 9),
        ("product", "b"): (8, 9, 8),
    }
