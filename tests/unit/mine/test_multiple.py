"""Corrected p-values against sorted lists, however the rules are cut into parts."""

import math
from itertools import combinations

import numpy as np
import pytest

from basketlens.mine.multiple import PART, parts_for, possible_rules, with_adjusted, with_part

FIELDS = "level string, antecedent array<string>, consequent array<string>, log10_p double"
SEARCHED = {("name", 2): 500, ("name", 3): 10**19, ("product", 2): 130, ("product", 3): 40}


def drawn_rules(seed):
    """Rules of four families with tied, tiny and certain p."""
    draw = np.random.default_rng(seed)
    rows = []
    for (level, size), rules in {
        ("name", 2): 160,
        ("name", 3): 90,
        ("product", 2): 130,
        ("product", 3): 1,
    }.items():
        logs = np.round(-draw.exponential(3, rules), 1) * draw.choice([1, 1, 150], rules)
        rows += [(level, [f"a{i:03}"] * (size - 1), ["b"], float(log)) for i, log in enumerate(logs)]
    return rows


def adjusted_by_lists(logs, searched):
    """log10 of q and of Holm's p, of p-values in any order; those that are not there have p = 1."""
    order = sorted(range(len(logs)), key=lambda i: logs[i])
    steps = [logs[i] + math.log10(searched) - math.log10(rank) for rank, i in enumerate(order, 1)]
    downs = [logs[i] + math.log10(searched - rank + 1) for rank, i in enumerate(order, 1)]
    q = {i: min(0.0, *steps[at:]) if steps[at:] else 0.0 for at, i in enumerate(order)}
    holm = {i: min(0.0, max(downs[: at + 1])) for at, i in enumerate(order)}
    return [(q[i], holm[i]) for i in range(len(logs))]


def adjusted(spark, rows, folder, *, parts):
    """(level, size, number) -> log10_q, log10_holm_p."""
    with_part(spark.createDataFrame(rows, FIELDS), parts=parts).write.parquet(str(folder))
    found = with_adjusted(spark.read.parquet(str(folder)), SEARCHED).collect()
    assert set(found[0].asDict()) == {
        "level",
        "antecedent",
        "consequent",
        "log10_p",
        "log10_q",
        "log10_holm_p",
    }
    return {(r["level"], *r["antecedent"]): (r["log10_q"], r["log10_holm_p"]) for r in found}


@pytest.mark.parametrize("seed", [1, 2])
def test_as_sorted_lists_whatever_the_parts(spark, tmp_path, seed):
    rows = drawn_rules(seed)
    results = [adjusted(spark, rows, tmp_path / str(parts), parts=parts) for parts in (1, 13)]
    assert results[0] == results[1]  # to the last bit
    assert spark.read.parquet(str(tmp_path / "13")).select(PART).distinct().count() > 8
    for (level, size), searched in SEARCHED.items():
        family = [row for row in rows if row[0] == level and len(row[1]) == size - 1]
        wanted = adjusted_by_lists([row[3] for row in family], searched)
        found = [results[0][level, *row[1]] for row in family]
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_one_p_value_by_hand(spark, tmp_path):
    rows = [("product", ["x"], ["b"], -3.0), ("product", ["y"], ["b"], -2.0), ("product", ["z"], ["b"], -2.0)]
    found = adjusted(spark, rows, tmp_path / "rules", parts=2)
    q, holm = 10.0 ** np.array([found["product", item] for item in "xyz"]).T
    np.testing.assert_allclose(q, [0.13, 1.3 / 3, 1.3 / 3])  # 130 x 0.001 / 1; 130 x 0.01 / 3 for both
    np.testing.assert_allclose(holm, [0.13, 1.0, 1.0])  # 130 x 0.001; 129 x 0.01 is above 1


def test_a_family_that_was_not_searched_is_an_error(spark, tmp_path):
    with pytest.raises(Exception, match="was not searched"):
        adjusted(spark, [("category", ["x"], ["b"], -3.0)], tmp_path / "rules", parts=1)


@pytest.mark.parametrize(
    ("items", "size", "most"), [(6, 2, 1), (6, 2, 9), (6, 4, 1), (6, 4, 2), (5, 5, 9), (3, 4, 1)]
)
def test_possible_rules_are_counted(items, size, most):
    sets = list(combinations(range(items), size))
    rules = [
        b for part in sets for right in range(1, min(most, size - 1) + 1) for b in combinations(part, right)
    ]
    assert possible_rules(items, size=size, max_consequent=most) == len(rules)


def test_parts_grow_with_the_rules():
    assert [parts_for(rules) for rules in (0, 1, 200_000, 200_001, 100_000_000)] == [1, 1, 1, 2, 500]
