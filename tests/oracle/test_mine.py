"""The whole stage through Spark against plain loops: every subset of every basket is counted."""

import math
import random
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations

import pytest

from basketlens.mine import stage
from tests.unit.mine.local_io import LocalIO, settings_in

ITEM_OF = {"product": 0, "name": 1, "category": 2, "department": 3}  # place in a catalogue row
MAX_SIZE = 4


def receipts(seed, *, baskets=60, products=14):
    """Lines (basket, product) with repeats, and a catalogue in which some products lack a category."""
    draw = random.Random(seed)
    catalogue = [
        (
            f"p{i}",
            f"n{i // 2}",
            draw.choice([None, "fruit", "milk", "bread"]),
            draw.choice(["food", "home", None]),
        )
        for i in range(products - 2)  # the last two are sold but unknown
    ]
    lines = []
    for basket in range(baskets):
        liked = int(draw.random() * 4) * 3
        for _ in range(draw.randint(1, 9)):
            item = liked + int(draw.random() * 5) if draw.random() < 0.7 else draw.randrange(products)
            lines.append((f"b{basket}", f"p{min(item, products - 1)}"))
    return lines, catalogue


def mine(spark, folder, lines, catalogue, levels, *, partitions, min_count, min_confidence):
    """Published rows of both tables, as {level: {...}}."""
    settings = settings_in(
        folder,
        f"mine.levels={levels}",
        f"mine.min_count={min_count}",
        f"mine.partitions={partitions}",
        f"mine.min_confidence={min_confidence}",
        f"mine.max_size={MAX_SIZE}",
        f"mine.max_consequent={MAX_SIZE - 1}",
    )
    inputs = {"lines": spark.createDataFrame(lines, "basket_id string, product_id string")}
    if levels != ["product"]:
        kinds = "product_id string, name_hash string, category string, department string"
        inputs["products"] = spark.createDataFrame(catalogue, kinds)
    io = LocalIO(spark, settings, inputs)
    stage.run(io, settings)
    return [row.asDict() for row in io.read("itemsets").collect()], [
        row.asDict() for row in io.read("rules").collect()
    ]


def count_by_loop(lines, catalogue, level, min_count):
    """Frequent itemsets of one level, and the number of baskets in all."""
    known = {row[0]: row[ITEM_OF[level]] for row in catalogue}
    baskets = defaultdict(set)
    for basket, product in lines:
        item = product if level == "product" else known.get(product)
        baskets[basket] |= set() if item is None else {item}
    counts = Counter(
        part
        for basket in baskets.values()
        for size in range(1, MAX_SIZE + 1)
        for part in combinations(sorted(basket), size)
    )
    return {items: count for items, count in counts.items() if count >= min_count}, len(baskets)


def rules_by_loop(sets, n, min_confidence):
    """(antecedent, consequent) -> counts, measures, significance and redundancy, each by its definition."""

    def best_smaller(a, b):
        """Highest confidence of the same consequent after fewer items, as a fraction."""
        parts = [s for size in range(1, len(a)) for s in combinations(a, size)]
        return max([Fraction(sets[b], n)] + [Fraction(sets[tuple(sorted(s + b))], sets[s]) for s in parts])

    rules = {}
    for whole, n_ab in sets.items():
        for size in range(1, len(whole)):
            for a in combinations(whole, size):
                b = tuple(item for item in whole if item not in a)
                n_a, n_b = sets[a], sets[b]
                if n_ab / n_a < min_confidence:
                    continue
                conviction = None if n_a == n_ab else (1 - n_b / n) / (1 - n_ab / n_a)
                improvement = Fraction(n_ab, n_a) - best_smaller(a, b)
                ways = sum(
                    math.comb(n_b, x) * math.comb(n - n_b, n_a - x) for x in range(n_ab, min(n_a, n_b) + 1)
                )
                rules[a, b] = {
                    "n_ab": n_ab, "n_a": n_a, "n_b": n_b, "n": n,
                    "support": n_ab / n, "confidence": n_ab / n_a, "lift": (n_ab / n_a) / (n_b / n),
                    "leverage": n_ab / n - (n_a / n) * (n_b / n), "conviction": conviction,
                    "p_value": ways / math.comb(n, n_a), "improvement": float(improvement), "is_redundant": improvement <= 0,
                    "jaccard": n_ab / (n_a + n_b - n_ab),
                }  # fmt: skip
    return rules


def correct_by_list(rules, items):
    """Add q_value and holm_p, over all rules of a size that `items` items can form, sorted in a list."""
    for size in range(2, MAX_SIZE + 1):
        searched = math.comb(items, size) * (2**size - 2)
        found = sorted(
            (r for sides, r in rules.items() if len(sum(sides, ())) == size), key=lambda r: r["p_value"]
        )
        q, holm = 1.0, 0.0
        for rank in range(len(found), 0, -1):
            q = min(q, found[rank - 1]["p_value"] * searched / rank)
            found[rank - 1]["q_value"] = q
        for rank, rule in enumerate(found, 1):
            holm = max(holm, min(1.0, rule["p_value"] * (searched - rank + 1)))
            rule["holm_p"] = holm


def check_level(itemsets, rules, sets, n, min_confidence):
    found = {tuple(row["items"]): row for row in itemsets}
    assert len(found) == len(itemsets)
    assert {items: row["count"] for items, row in found.items()} == sets
    for items, row in found.items():
        larger = [count for other, count in sets.items() if set(items) < set(other)]
        assert row["size"] == len(items)
        assert row["support"] == pytest.approx(sets[items] / n)
        assert row["is_closed"] == all(count < sets[items] for count in larger), items
        assert row["is_maximal"] == (not larger), items
        assert row["customers"] is None
    wanted = rules_by_loop(sets, n, min_confidence)
    correct_by_list(wanted, sum(len(part) == 1 for part in sets))
    by_sides = {(tuple(row["antecedent"]), tuple(row["consequent"])): row for row in rules}
    assert len(by_sides) == len(rules)
    assert set(by_sides) == set(wanted)
    for sides, measures in wanted.items():
        got = {name: by_sides[sides][name] for name in measures}
        assert (got["conviction"] is None) == (measures["conviction"] is None), sides
        known = {name: value for name, value in measures.items() if value is not None}
        assert {name: got[name] for name in known} == pytest.approx(known, rel=1e-9, abs=1e-12), sides
        logs = [by_sides[sides][name] for name in ("log10_p", "log10_q", "log10_holm_p")]
        assert logs == pytest.approx([math.log10(got[name]) for name in ("p_value", "q_value", "holm_p")])
        assert by_sides[sides]["lift_low"] < got["lift"] < by_sides[sides]["lift_high"]


@pytest.mark.parametrize(
    ("seed", "levels", "chosen"),
    [
        pytest.param(1, ["product"], {"partitions": 1, "min_count": 4, "min_confidence": 0.1}, id="one-pass"),
        pytest.param(
            2, ["product"], {"partitions": 3, "min_count": 3, "min_confidence": 0.5}, id="two-passes"
        ),
        pytest.param(
            3, ["name", "category"], {"partitions": 2, "min_count": 5, "min_confidence": 0.0}, id="two-levels"
        ),
    ],
)
def test_the_stage_agrees_with_loops(spark, tmp_path, seed, levels, chosen):
    lines, catalogue = receipts(seed)
    itemsets, rules = mine(spark, tmp_path, lines, catalogue, levels, **chosen)
    assert {row["level"] for row in itemsets} <= set(levels)
    for level in levels:
        sets, n = count_by_loop(lines, catalogue, level, chosen["min_count"])
        if level in {"product", "name"}:
            assert max(map(len, sets)) >= 3, "the draw is too thin to test anything"
        mine_of = [[row for row in rows if row["level"] == level] for rows in (itemsets, rules)]
        check_level(*mine_of, sets, n, chosen["min_confidence"])


def test_partitions_and_order_of_rows_change_nothing(spark, tmp_path):
    lines, catalogue = receipts(4)
    shuffled = random.Random(0).sample(lines, len(lines))
    one, five = (
        mine(
            spark,
            tmp_path / str(parts),
            rows,
            catalogue,
            ["product"],
            partitions=parts,
            min_count=4,
            min_confidence=0.1,
        )
        for parts, rows in ((1, lines), (5, shuffled))
    )
    for before, after in zip(one, five, strict=True):
        assert sorted(map(repr, before)) == sorted(map(repr, after))
        assert before
