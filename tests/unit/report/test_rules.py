"""Which rules are shown, in which order, and how they are counted; all on one table."""

import pytest

from basketlens import schemas
from basketlens.report import rules

PLAIN = {
    "level": "name", "n_ab": 5, "n_a": 10, "n_b": 20, "n": 100, "confidence": 0.5, "lift": 2.5, "lift_low": 1.5, "lift_high": 4.0,
    "q_value": 0.01, "log10_q": -2.0, "is_redundant": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(rows):
    def rule(sides, **given):
        left, right = sides.split(">")
        return PLAIN | {"antecedent": list(left), "consequent": list(right)} | given

    return rows.of(
        schemas.RULES,
        rule("a>b", lift_low=2.0),
        rule("b>a", lift_low=1.9),
        rule("b>c", extra_revenue=-3.0, holdout_lift=0.0),
        rule("c>d", lift_low=2.0),
        rule("d>e", extra_revenue=8.0, q_value=0.05, customers=30),
        rule("ce>d", extra_revenue=9.0, q_value=0.0501),
        rule("ab>c", extra_revenue=9.0, is_redundant=True),
        rule("x>y", q_value=None),
        rule("p>q", level="product"),
    ).localCheckpoint()


def test_money_first_then_the_sure_end_of_lift_then_ids(rows, found):
    chosen = rules.best(found, level="name", rows=4)
    named = rules.with_names(
        chosen, rows.items({"a": "Ale", "b": "Bread", "d": "Dill", "e": "Eggs"}), level="name"
    )
    shown = rules.as_rules(named.toPandas())
    assert [(rule.antecedent, rule.consequent) for rule in shown] == [
        (("Dill",), ("Eggs",)), (("Bread",), ("c",)), (("Ale",), ("Bread",)), (("c",), ("Dill",)),
    ]  # fmt: skip
    assert [rule.customers for rule in shown] == [30, None, None, None]
    assert [rule.extra_revenue for rule in shown] == [8.0, -3.0, None, None]
    assert [rule.holdout_lift for rule in shown] == [None, 0.0, None, None]


def test_both_sides_keep_the_order_of_their_ids(rows):
    wide = PLAIN | {"antecedent": ["p1", "p2"], "consequent": ["p0", "p3"]}
    chosen = rules.best(rows.of(schemas.RULES, wide), level="name", rows=1)
    named = rules.with_names(
        chosen, rows.items({"p0": "z", "p1": "same", "p2": "same", "p3": "a"}), level="name"
    )
    [rule] = rules.as_rules(named.toPandas())
    assert (rule.antecedent, rule.consequent) == (("same", "same"), ("z", "a"))


def test_counts(rows, found):
    drift = rows.of(
        schemas.RULE_DRIFT, *({"level": "name", "status": status} for status in ("born", "moved", "moved"))
    )
    for given, moved in ((None, 0), (drift, 2)):
        counted = rules.as_counts(rules.counts(found, given, level="name").toPandas())
        assert (counted.rules, counted.redundant, counted.uncertain, counted.held_out) == (8, 1, 2, 1)
        assert (counted.moved, counted.stable) == (moved, 0)
