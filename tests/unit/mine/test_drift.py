"""Drift between two tables of rules: hand-computed tests of two proportions, and what is told of each rule."""

import math

import pytest

from basketlens import schemas
from basketlens.mine.drift import compared_rules, is_in_both, with_status
from tests.builders import table


def rules_of(spark, counts, level="product"):
    """{"a>b": (n_ab, n_a, n_b, n)}; one letter is one item."""
    rows = []
    for sides, (n_ab, n_a, n_b, n) in counts.items():
        a, b = sides.split(">")
        rows.append(
            {
                "level": level,
                "antecedent": list(a),
                "consequent": list(b),
                "n_ab": n_ab,
                "n_a": n_a,
                "n_b": n_b,
                "n": n,
            }
        )
    return table(spark, schemas.RULE_COUNTS, *rows)


BEFORE = {
    "a>b": (40, 100, 200, 1000),  # 0.40
    "a>c": (40, 100, 200, 1000),
    "b>c": (50, 50, 100, 1000),  # always
    "x>y": (10, 20, 30, 1000),
    "ab>c": (30, 60, 90, 1000),
}
AFTER = {
    "a>b": (60, 100, 200, 1000),  # 0.60: z = 0.2 / sqrt(0.5 * 0.5 * 2/100) = 2.828...
    "a>c": (81, 200, 400, 2000),
    "b>c": (70, 70, 100, 1000),
    "c>ab": (9, 10, 60, 2000),
    "ab>c": (600, 1200, 1800, 20000),
}


@pytest.fixture(scope="module")
def drift(spark):
    compared = compared_rules(rules_of(spark, BEFORE), rules_of(spark, AFTER))
    tests = compared.filter(is_in_both()).count()
    assert tests == 4
    rows = with_status(compared, tests=tests, alpha=0.05).collect()
    assert len(rows) == 6
    return {"".join(r["antecedent"]) + ">" + "".join(r["consequent"]): r for r in rows}


def test_status(drift):
    assert {sides: row["status"] for sides, row in drift.items()} == {
        "a>b": "moved",  # p = 0.0047, and 4 tests make that 0.0187
        "a>c": "stable",
        "b>c": "stable",
        "ab>c": "stable",
        "x>y": "died",
        "c>ab": "born",
    }


def test_hand_computed_z_and_p(drift):
    moved = drift["a>b"]
    assert (moved["confidence_before"], moved["confidence_after"]) == (0.4, 0.6)
    assert moved["z"] == pytest.approx(2 * math.sqrt(2), rel=1e-12)
    assert moved["p_value"] == pytest.approx(0.004677734981063, rel=1e-9)  # 2 * (1 - Phi(2.8284271))
    assert moved["support_z"] == pytest.approx(0.02 / math.sqrt(0.05 * 0.95 * 2 / 1000), rel=1e-12)
    assert (moved["lift_before"], moved["lift_after"]) == (pytest.approx(2.0), pytest.approx(3.0))


def test_shares_that_are_equal_have_not_moved(drift):
    assert (drift["b>c"]["z"], drift["b>c"]["p_value"]) == (0.0, 1.0)  # all hits: no variance to divide by
    assert (drift["ab>c"]["z"], drift["ab>c"]["support_z"]) == (0.0, 0.0)


def test_a_rule_of_one_table_has_no_test(drift):
    died, born = drift["x>y"], drift["c>ab"]
    assert (died["n_ab_before"], died["n_after"], died["confidence_after"]) == (10, None, None)
    assert (born["n_before"], born["lift_before"]) == (None, None)
    assert (born["n_ab_after"], born["n_a_after"], born["n_b_after"], born["n_after"]) == AFTER["c>ab"]
    for row in (died, born):
        assert [row[name] for name in ("z", "p_value", "support_z", "support_p_value")] == [None] * 4


def test_scipy_agrees_on_every_rule_of_both_tables(drift):
    from scipy.stats import (
        chi2_contingency,
    )  # without correction, chi-squared of a 2x2 table is the square of z

    for sides in ("a>b", "a>c"):
        for z, p, total in (("z", "p_value", 1), ("support_z", "support_p_value", 3)):
            hits = [(counts[sides][0], counts[sides][total]) for counts in (BEFORE, AFTER)]
            found = chi2_contingency([[x, n - x] for x, n in hits], correction=False)
            assert drift[sides][z] ** 2 == pytest.approx(found.statistic, rel=1e-9)
            assert drift[sides][p] == pytest.approx(found.pvalue, rel=1e-9)


def test_a_level_is_a_rule_of_its_own(spark):
    rows = compared_rules(
        rules_of(spark, {"a>b": (2, 4, 4, 9)}, "name"), rules_of(spark, {"a>b": (2, 4, 4, 9)}, "product")
    )
    assert sorted((r["level"], r["n_before"], r["n_after"]) for r in rows.collect()) == [
        ("name", 9, None),
        ("product", None, 9),
    ]
