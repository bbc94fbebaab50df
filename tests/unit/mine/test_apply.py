"""Rules applied to baskets: literal cases in one job, then every rule tried on every basket by a loop."""

import random
from collections import defaultdict

import pytest

from basketlens.mine.apply import apply_rules

RULE = "antecedent array<string>, consequent array<string>, n_ab long, confidence double, lift double, conviction double, p_value double"


def rules_of(spark, *rows):
    """Rows (antecedent, consequent, n_ab, confidence, lift, conviction, p_value); one letter is one item."""
    return spark.createDataFrame([(list(a), list(b), *rest) for a, b, *rest in rows], RULE)


def baskets_of(spark, baskets):
    rows = [(name, list(items)) for name, items in baskets.items()]
    return spark.createDataFrame(rows, "basket_id string, items array<string>")


def offers(found):
    """basket -> what it is offered, the best first, as "antecedent>consequent"."""
    rows = sorted(found.collect(), key=lambda row: (row["basket_id"], row["rank"]))
    by_basket = defaultdict(list)
    for row in rows:
        by_basket[row["basket_id"]].append(f"{''.join(row['antecedent'])}>{''.join(row['consequent'])}")
        assert row["rank"] == len(by_basket[row["basket_id"]])
    return dict(by_basket)


def rule(sides, n_ab, confidence, lift=1.0, conviction=1.0, p_value=None):
    return (*sides.split(">"), n_ab, confidence, lift, conviction, p_value)


def test_what_is_offered_to_whom(spark):
    rules = rules_of(
        spark,
        rule("a>b", 9, 0.5),
        rule("a>c", 9, 0.9),
        rule("a>d", 8, 0.5),
        rule("ax>b", 3, 0.8),
        rule("xy>bc", 2, 0.95),
        rule("q>z", 9, 0.99),
    )
    baskets = {
        "one-item": "a",
        "a-consequent-is-held": "ac",
        "the-best-rule-of-a-consequent": "ax",
        "a-part-of-the-consequent-is-held": "xyb",
        "both-sides-of-two": "xy",
        "half-an-antecedent": "x",
        "nothing-known": "mno",
        "empty": "",
        "repeats": "aaa",
    }
    assert offers(apply_rules(baskets_of(spark, baskets), rules, k=2)) == {
        "one-item": ["a>c", "a>b"],  # b before d: the rule holds in more baskets
        "a-consequent-is-held": ["a>b", "a>d"],
        "the-best-rule-of-a-consequent": ["a>c", "ax>b"],
        "both-sides-of-two": ["xy>bc"],
        "repeats": ["a>c", "a>b"],
    }


def test_another_measure_decides_both_what_and_how_much(spark):
    rules = rules_of(
        spark,
        rule("a>b", 9, 0.9, 1.0, 2.0),
        rule("x>b", 9, 0.1, 1.0, 3.0),
        rule("a>c", 9, 0.8, 1.0, None),  # conviction: null is infinite
        rule("a>d", 9, 0.9, 1.0, 2.5),
    )
    found = apply_rules(baskets_of(spark, {"x": "ax"}), rules, k=2, by="conviction")
    assert found.columns == [
        "basket_id",
        "rank",
        "antecedent",
        "consequent",
        "confidence",
        "n_ab",
        "conviction",
    ]
    assert offers(found) == {"x": ["a>c", "x>b"]}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        pytest.param({"k": 0}, "k must be 1 or more, got 0", id="k"),
        pytest.param({"k": 1, "by": "lifts"}, r"got 'lifts'.*\n.*confidence, lift", id="no-such-measure"),
        pytest.param({"k": 1, "by": "antecedent"}, "numeric", id="not-a-number"),
    ],
)
def test_refused(spark, chosen, message):
    with pytest.raises(ValueError, match=message):
        apply_rules(baskets_of(spark, {"x": "a"}), rules_of(spark, rule("a>b", 1, 0.5)), **chosen)


def drawn(seed, *, baskets=40, rules=150):
    """Baskets over ten letters, and rules in which few values of the measures make many ties."""
    draw = random.Random(seed)
    letters = "abcdefghij"
    bought = {f"b{i}": "".join(draw.sample(letters, draw.randint(0, 7))) for i in range(baskets)}
    found = {}
    while len(found) < rules:
        items = draw.sample(letters + "zw", draw.randint(2, 5))  # z and w are never bought
        cut = draw.randint(1, len(items) - 1)
        sides = "".join(sorted(items[:cut])), "".join(sorted(items[cut:]))
        found[sides] = (draw.randint(1, 3), draw.choice([0.25, 0.5]), draw.choice([None, 1.0, 2.0]))
    return bought, found


def by_loop(bought, rules, k):
    """The same by definition, with rules ordered by lift."""

    def order(sides):
        n_ab, confidence, lift = rules[sides]
        return (lift is None, -(lift or 0), -confidence, -n_ab, sides[1], sides[0])

    best_first = sorted(rules, key=order)
    wanted = {}
    for basket, items in bought.items():
        chosen = {}
        for a, b in best_first:
            if set(a) <= set(items) and not set(b) & set(items):
                chosen.setdefault(b, f"{a}>{b}")
        if chosen:
            wanted[basket] = list(chosen.values())[:k]
    return wanted


@pytest.mark.parametrize(
    ("seed", "k", "partitions"),
    [
        pytest.param(1, 1, 1, id="one-offer"),
        pytest.param(2, 3, 5, id="three-offers"),
        pytest.param(2, 500, 3, id="all-offers"),
    ],
)
def test_the_loop_over_all_rules_and_baskets_agrees(spark, seed, k, partitions):
    """The loop knows no partitions, so the result does not depend on them."""
    bought, rules = drawn(seed)
    rows = [(*sides, n_ab, confidence, lift, 1.0, None) for sides, (n_ab, confidence, lift) in rules.items()]
    wanted = by_loop(bought, rules, k)
    assert len(wanted) > len(bought) / 2, "the draw is too thin to test anything"
    rows = random.Random(partitions).sample(rows, len(rows))
    baskets = baskets_of(spark, bought).repartition(partitions)
    found = apply_rules(baskets, rules_of(spark, *rows).repartition(partitions), k=k, by="lift")
    assert offers(found) == wanted


def test_nothing_is_broadcast_or_gathered_in_one_place(spark, capsys):
    found = apply_rules(baskets_of(spark, {"x": "a"}), rules_of(spark, rule("a>b", 1, 0.5)), k=1)
    found.explain()
    plan = capsys.readouterr().out
    assert "SortMergeJoin" in plan
    assert "Broadcast" not in plan
