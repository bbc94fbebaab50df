from itertools import combinations

import pytest
from pyspark.sql import functions as F

from basketlens.mine.redundancy import with_best_below, with_redundancy
from basketlens.mine.rules import all_splits, is_confident

# Of 100 baskets.  Confidence of "-> b": alone 0.40, with x 0.30, with y 0.25, with x and y 0.35.
NOT_MONOTONE = {"b": 40, "x": 40, "y": 40, "bx": 12, "by": 10, "xy": 20, "bxy": 7}
BIG = 4_000_000_000  # two such counts multiply to more than a long holds


def table(spark, sets, level="product"):
    rows = [(level, list(items), len(items), count) for items, count in sets.items()]
    return spark.createDataFrame(rows, "level string, items array<string>, size int, count long")


def named(rows):
    rules = {"".join(r["antecedent"]) + ">" + "".join(r["consequent"]): r for r in rows}
    assert len(rules) == len(rows)
    return rules


def rules_of(spark, sets, *, baskets):
    """Every rule with improvement and is_redundant, by name."""
    splits = all_splits(table(spark, sets), baskets=baskets, max_consequent=9).localCheckpoint()
    parts, shorter = [], None
    for size in range(1, max(map(len, sets))):
        shorter = with_best_below(splits, shorter, size=size)
        parts += with_redundancy(shorter).collect()
    return named(parts)


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_splits_are_all_with_few_enough_items_on_the_right(spark, most):
    sets = {"".join(part): 9 - len(part) for size in range(1, 6) for part in combinations("abcde", size)}
    found = named(all_splits(table(spark, sets), baskets=20, max_consequent=most).collect())
    wanted = {}
    for whole, n_ab in sets.items():
        for size in range(1, min(most, len(whole) - 1) + 1):
            for right in combinations(whole, size):
                b = "".join(right)
                a = "".join(sorted(set(whole) - set(right)))
                wanted[f"{a}>{b}"] = (n_ab, sets[a], sets[b], 20)
    assert {name: (r["n_ab"], r["n_a"], r["n_b"], r["n"]) for name, r in found.items()} == wanted


def test_levels_do_not_mix(spark):
    both = table(spark, {"a": 4, "b": 5, "ab": 2}, "name").unionByName(
        table(spark, {"a": 8, "b": 9, "ab": 8}, "product")
    )
    found = all_splits(both, baskets=20, max_consequent=1).collect()
    counts = {(r["level"], *r["antecedent"]): (r["n_ab"], r["n_a"], r["n_b"]) for r in found}
    assert counts == {
        ("name", "a"): (2, 4, 5),
        ("name", "b"): (2, 5, 4),
        ("product", "a"): (8, 8, 9),
        ("product", "b"): (8, 9, 8),
    }


def test_a_confidence_at_the_floor_stays(spark):
    rules = spark.createDataFrame([(3, 10)], "n_ab long, n_a long")
    floors = {0.1: True, 0.3: True, 0.3000001: False, 1e-05: True}
    kept = rules.select(*(is_confident(floor).alias(str(floor)) for floor in floors)).first().asDict()
    assert kept == {str(floor): is_kept for floor, is_kept in floors.items()}


def test_smaller_antecedents_of_any_size_make_redundant(spark):
    rules = rules_of(spark, NOT_MONOTONE, baskets=100)
    assert rules["xy>b"]["is_redundant"]  # surer than x>b and y>b, but not than b alone
    assert rules["xy>b"]["improvement"] == pytest.approx(0.35 - 0.40)
    rarer = rules_of(spark, NOT_MONOTONE, baskets=200)
    assert not rarer["xy>b"]["is_redundant"]  # b alone is now 0.20
    assert rarer["xy>b"]["improvement"] == pytest.approx(0.35 - 0.30)


def test_a_rule_two_items_shorter_counts_through_an_unsure_one(spark):
    pairs = {"xy": 30, "xz": 30, "yz": 30, "wx": 30, "wy": 30, "wz": 30}
    triples = {"wxy": 25, "wxz": 25, "wyz": 25, "xyz": 25}
    alone = {"b": 20, "w": 50, "x": 50, "y": 50, "z": 50, "wxyz": 20} | pairs | triples
    with_b = {"bw": 15, "bx": 6, "by": 6, "bz": 6, "bwx": 5, "bwy": 5, "bwz": 5, "bxy": 5, "bxz": 5, "byz": 5}
    larger = {"bwxy": 4, "bwxz": 4, "bwyz": 4, "bxyz": 4, "bwxyz": 4}
    rules = rules_of(spark, alone | with_b | larger, baskets=1000)
    # w>b 0.30, all of two and three less (5/30, 4/25), all four 4/20.
    assert rules["wxyz>b"]["improvement"] == pytest.approx(0.2 - 0.3)
    assert rules["wxyz>b"]["is_redundant"]
    assert rules["xyz>b"]["improvement"] == pytest.approx(4 / 25 - 5 / 30)  # w is not among its parts


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


def test_a_rule_whose_parts_were_not_mined_stays(spark):
    """As when only itemsets with a certain item are wanted: "x>b" is not there."""
    sets = {"b": 40, "x": 40, "y": 40, "by": 10, "xy": 20, "bxy": 7}
    rule = rules_of(spark, sets, baskets=100)["xy>b"]
    assert (rule["is_redundant"], rule["improvement"]) == (True, pytest.approx(0.35 - 0.40))


def test_no_itemsets_no_rules(spark):
    splits = all_splits(table(spark, {"a": 1}).filter(F.lit(False)), baskets=0, max_consequent=2)
    assert with_best_below(splits, with_best_below(splits, None, size=1), size=2).collect() == []
