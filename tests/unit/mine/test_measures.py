"""Every measure against its published formula, worked out in exact fractions or by mlxtend; docs against the registry."""

import math
from fractions import Fraction as Fr
from itertools import combinations
from pathlib import Path
from typing import get_args

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from basketlens.mine.measures import CONTRACT, EXTRA, MEASURES, P_BELOW, QUANTILE_99, with_measures
from basketlens.mine.significance import with_fisher
from basketlens.settings_mine import ExtraMeasure

PAGE = Path(__file__).parents[3] / "docs" / "measures.md"
# n_ab, n_a, n_b, n
USUAL = (10, 20, 40, 100)
CASES = {
    "usual": USUAL,
    "below-chance": (3, 30, 60, 100),
    "independent": (8, 20, 40, 100),
    "certain": (20, 20, 40, 100),
    "certain-both-ways": (20, 20, 20, 100),
    "antecedent-everywhere": (40, 100, 40, 100),
    "consequent-everywhere": (20, 20, 100, 100),
    "large": (130, 1_000_000, 1_000_000, 10_000_000_000),
    "large-and-near-chance": (1_000_001, 100_000_000, 100_000_000, 10_000_000_000),
    "large-halves": (2_500_000_100, 5_000_000_000, 5_000_000_000, 10_000_000_000),
}
# By hand, of USUAL: P(A) 0.2, P(B) 0.4, P(AB) 0.1, P(AB') 0.1, P(A'B) 0.3, P(A'B') 0.5; P(B|A) 0.5, P(B|A') 0.375.
BY_HAND = {
    "support": 0.1,
    "confidence": 0.5,
    "lift": 1.25,
    "leverage": 0.02,
    "conviction": 1.2,
    "zhang": 0.02 / 0.08,
    "jaccard": 0.2,
    "cosine": 0.1 / math.sqrt(0.08),
    "kulczynski": 0.375,
    "imbalance_ratio": 0.4,
    "certainty": 0.1 / 0.6,
    "phi": 0.02 / math.sqrt(0.2 * 0.8 * 0.4 * 0.6),
    "odds_ratio": 0.05 / 0.03,
    "yule_q": 0.25,
    "yule_y": (math.sqrt(5 / 3) - 1) / (math.sqrt(5 / 3) + 1),
    "relative_risk": 0.5 / 0.375,
    "added_value": 0.1,
    "all_confidence": 0.25,
    "max_confidence": 0.5,
    "j_measure": 0.1 * math.log(0.5 / 0.4) + 0.1 * math.log(0.5 / 0.6),
    "gini": 0.2 * 0.5 + 0.8 * (0.375**2 + 0.625**2) - 0.16 - 0.36,
    "mutual_information": (
        0.1 * math.log(1.25) + 0.1 * math.log(0.1 / 0.12) + 0.3 * math.log(0.3 / 0.32) + 0.5 * math.log(0.5 / 0.48)
    ) / -(0.2 * math.log(0.2) + 0.8 * math.log(0.8)),
    "kappa": (0.6 - 0.08 - 0.48) / (1 - 0.08 - 0.48),
    "laplace": 11 / 22,
    "chi_squared": 4 / 8 + 4 / 12 + 4 / 32 + 4 / 48,
    "hyper_lift": 10 / 13,
    "hyper_confidence": sum(math.comb(40, x) * math.comb(60, 20 - x) for x in range(10)) / math.comb(100, 20),
    "coverage": 0.2,
}  # fmt: skip


def over(numerator, denominator):
    return None if denominator == 0 else numerator / denominator


def published(n_ab, n_a, n_b, n):
    """arules' formulas of shares, term by term; None where one divides by zero."""
    p_ab, p_a, p_b = Fr(n_ab, n), Fr(n_a, n), Fr(n_b, n)
    cells = [[p_ab, p_a - p_ab], [p_b - p_ab, 1 - p_a - p_b + p_ab]]
    (_, only_a), (only_b, neither) = cells
    conf, back = Fr(n_ab, n_a), Fr(n_ab, n_b)
    other = over(only_b, 1 - p_a)  # P(B|A')
    odds = over(p_ab * neither, only_a * only_b)
    root = None if odds is None else mpmath.sqrt(odds.numerator) / mpmath.sqrt(odds.denominator)
    gain = p_ab - p_a * p_b
    rows, columns = (p_a, 1 - p_a), (p_b, 1 - p_b)

    def nats(p, q):
        return (
            0
            if p == 0
            else mpmath.mpf(p.numerator)
            / p.denominator
            * mpmath.log(mpmath.mpf((p / q).numerator) / (p / q).denominator)
        )

    terms = [[nats(cells[i][j], rows[i] * columns[j]) if cells[i][j] else 0 for j in (0, 1)] for i in (0, 1)]
    entropy = min(-sum(nats(p, Fr(1)) for p in split) for split in (rows, columns))
    is_infinite = odds is None and p_ab * neither > 0
    return {
        "support": p_ab, "confidence": conf, "lift": conf / p_b, "leverage": gain,
        "conviction": over(p_a * (1 - p_b), only_a),
        "zhang": over(gain, max(p_ab * (1 - p_a), p_a * (p_b - p_ab))),
        "jaccard": p_ab / (p_a + p_b - p_ab), "cosine": float(p_ab) / math.sqrt(p_a * p_b), "kulczynski": (conf + back) / 2,
        "imbalance_ratio": abs(p_a - p_b) / (p_a + p_b - p_ab), "certainty": over(conf - p_b, 1 - p_b),
        "phi": over(float(gain), math.sqrt(p_a * (1 - p_a) * p_b * (1 - p_b))),
        "odds_ratio": odds,
        "yule_q": 1 if is_infinite else None if odds is None else (odds - 1) / (odds + 1),
        "yule_y": 1 if is_infinite else None if root is None else (root - 1) / (root + 1),
        "relative_risk": None if other is None else over(conf, other), "added_value": conf - p_b,
        "all_confidence": min(conf, back), "max_confidence": max(conf, back), "j_measure": sum(terms[0]),
        "gini": None if other is None else p_a * (conf**2 + (1 - conf) ** 2) + (1 - p_a) * (other**2 + (1 - other) ** 2) - p_b**2 - (1 - p_b) ** 2,
        "mutual_information": over(sum(map(sum, terms)), entropy),
        "kappa": over(p_ab + neither - p_a * p_b - (1 - p_a) * (1 - p_b), 1 - p_a * p_b - (1 - p_a) * (1 - p_b)),
        "laplace": Fr(n_ab + 1, n_a + 2),
        "chi_squared": over(n * gain**2, p_a * (1 - p_a) * p_b * (1 - p_b)), "coverage": p_a,
    }  # fmt: skip


@pytest.fixture(scope="module")
def measured(spark):
    """Every measure of every case, in one job."""
    rows = [(name, *counts) for name, counts in CASES.items()]
    rules = spark.createDataFrame(rows, "name string, n_ab long, n_a long, n_b long, n long")
    return {r["name"]: r for r in with_measures(with_fisher(rules, EXTRA), EXTRA).collect()}


@pytest.mark.parametrize("name", MEASURES)
def test_by_hand(measured, name):
    assert measured["usual"][name] == pytest.approx(BY_HAND[name], rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_published_formulas(measured, case):
    mpmath.mp.dps = 60
    wanted = published(*CASES[case])
    assert set(wanted) == set(MEASURES) - {"hyper_lift", "hyper_confidence"}
    for name, value in wanted.items():
        got = measured[case][name]
        assert (got is None) == (value is None), (name, got)
        if value is not None:
            assert got == pytest.approx(float(value), rel=1e-9, abs=1e-300), name


@pytest.mark.parametrize("case", CASES)
def test_hypergeometric_ones_against_scipy(measured, case):
    n_ab, n_a, n_b, n = CASES[case]
    x = hypergeom(n, n_a, n_b)
    row = measured[case]
    quantile = x.ppf(0.99)
    assert row[QUANTILE_99] == quantile
    assert row["hyper_lift"] == (n_ab / quantile if quantile else None)
    assert row["hyper_confidence"] == row[P_BELOW] == pytest.approx(x.cdf(n_ab - 1), rel=1e-6, abs=1e-12)


def test_as_mlxtend(spark):
    from mlxtend.frequent_patterns import association_rules

    draw = np.random.default_rng(5)
    baskets = pd.DataFrame(draw.random((200, 5)) < [0.7, 0.5, 0.3, 0.4, 0.2], columns=list("abcde"))
    sets = [frozenset(items) for size in (1, 2, 3) for items in combinations("abcde", size)]
    supports = pd.DataFrame(
        {"itemsets": sets, "support": [baskets[list(s)].all(axis=1).mean() for s in sets]}
    )
    theirs = association_rules(
        supports[supports["support"] > 0], num_itemsets=200, metric="support", min_threshold=0.0
    )
    counts = (theirs[["support", "antecedent support", "consequent support"]] * 200).round().astype(int)
    rows = [(i, *row, 200) for i, row in enumerate(counts.itertuples(index=False, name=None))]
    rules = spark.createDataFrame(rows, "i int, n_ab long, n_a long, n_b long, n long")
    both = ("zhang", "jaccard", "certainty", "kulczynski")
    ours = with_measures(rules, both).toPandas().sort_values("i")
    assert len(ours) == len(theirs) > 60
    for name in (*CONTRACT, *both):
        other = theirs["zhangs_metric" if name == "zhang" else name].replace(np.inf, np.nan)
        np.testing.assert_allclose(ours[name], other, rtol=1e-9, atol=1e-12, err_msg=name)


def test_settings_allow_what_is_computed():
    assert get_args(ExtraMeasure) == EXTRA
    assert set(CONTRACT) | set(EXTRA) == set(MEASURES)


def test_the_page_says_what_the_registry_says():
    escape = "\\|"
    wanted = [
        f"| `{name}` | {m.formula.replace('|', escape)} | {m.range} | {m.source} |"
        for name, m in MEASURES.items()
    ]
    found = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert found == wanted, "docs/measures.md should hold these rows:\n" + "\n".join(wanted)
