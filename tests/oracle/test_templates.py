"""Templates before mining against the same templates after mining everything: the same tables, count for count."""

import pytest

from basketlens.errors import SettingsError
from basketlens.mine import stage
from tests.oracle.test_mine import receipts
from tests.unit.mine.local_io import LocalIO, settings_in

LEVELS = ["product", "name"]
MUST, EXCLUDED = {"p3", "p10", "n1"}, {"p0", "n5"}
LEFT, RIGHT = {"p4", "n0"}, {"p1", "n3"}
TEMPLATES = (
    "mine.must_contain=['product:p3', 'product:p10', 'name:n1']",
    "mine.exclude=['product:p0', 'name:n5', 'name:delisted']",
    "mine.antecedent_only=['product:p4', 'name:n0']",
    "mine.consequent_only=['product:p1', 'name:n3']",
)


def mine(spark, folder, lines, catalogue, *assignments, levels=LEVELS):
    """itemsets {(level, items): row}, rules {(level, antecedent, consequent): row}, and the figures."""
    chosen = settings_in(
        folder, f"mine.levels={levels}", "mine.min_count=3", "mine.min_confidence=0.2", "mine.max_size=5", *assignments
    )  # fmt: skip
    kinds = "product_id string, name_hash string, category string, department string"
    io = LocalIO(
        spark,
        chosen,
        {
            "lines": spark.createDataFrame(lines, "basket_id string, product_id string"),
            "products": spark.createDataFrame(catalogue, kinds),
        },
    )
    stage.run(io, chosen)
    itemsets = {(r["level"], tuple(r["items"])): r.asDict() for r in io.read("itemsets").collect()}
    rules = {
        (r["level"], tuple(r["antecedent"]), tuple(r["consequent"])): r.asDict()
        for r in io.read("rules").collect()
    }
    return itemsets, rules, io


@pytest.fixture(scope="module")
def world(spark, tmp_path_factory):
    """Everything, mined once: what is compared with."""
    lines, catalogue = receipts(11, baskets=120)
    itemsets, rules, _ = mine(spark, tmp_path_factory.mktemp("all"), lines, catalogue)
    return lines, catalogue, itemsets, rules


@pytest.fixture(scope="module")
def chosen(spark, tmp_path_factory, world):
    lines, catalogue, *_ = world
    return mine(spark, tmp_path_factory.mktemp("chosen"), lines, catalogue, *TEMPLATES, "mine.partitions=2")


def test_itemsets_are_those_that_a_filter_would_leave(world, chosen):
    allowed = {key: row for key, row in world[2].items() if not EXCLUDED & set(key[1])}
    wanted = {key: row for key, row in allowed.items() if len(key[1]) == 1 or MUST & set(key[1])}
    found = chosen[0]
    assert set(found) == set(wanted)
    assert len(found) < len(world[2])
    for (level, items), row in found.items():
        larger = [r["count"] for (at, other), r in allowed.items() if at == level and set(items) < set(other)]
        assert (row["count"], row["support"]) == (
            wanted[level, items]["count"],
            wanted[level, items]["support"],
        )
        assert row["is_maximal"] == (not larger), items
        assert row["is_closed"] == all(count < row["count"] for count in larger), items


def uncorrected(rules):
    corrected = {"q_value", "log10_q", "holm_p", "log10_holm_p"}
    return {key: {name: row[name] for name in row if name not in corrected} for key, row in rules.items()}


def test_rules_are_those_that_a_filter_would_leave(world, chosen):
    wanted = {
        (level, a, b): row
        for (level, a, b), row in world[3].items()
        if not EXCLUDED & {*a, *b} and MUST & {*a, *b} and not RIGHT & set(a) and not LEFT & set(b)
    }
    # What is corrected for the rules searched depends on how many those are, and a template makes them fewer.
    assert uncorrected(chosen[1]) == uncorrected(wanted)
    sides = [side for _, a, b in wanted for side in (a, b) if len(side) >= 3 and not MUST & set(side)]
    assert sides, "the draw is too thin: no side was counted outside the baskets that were mined"
    assert any(row["is_redundant"] for row in wanted.values())
    assert not all(row["is_redundant"] for row in wanted.values())


def test_less_is_mined(chosen):
    figures = chosen[2].figures["levels"]
    assert figures["name"]["unknown_ids"] == 1  # "delisted": one unknown id is a warning
    assert "unknown_ids" not in figures["product"]


def test_the_best_rules_of_each_level(spark, tmp_path, world):
    lines, catalogue, _, rules = world
    _, found, _ = mine(
        spark, tmp_path, lines, catalogue, "mine.top_rules=7", "mine.rank_by='leverage'", levels=["product"]
    )
    order = sorted(
        (key for key in rules if key[0] == "product"),
        key=lambda key: (
            -rules[key]["leverage"],
            -rules[key]["confidence"],
            -rules[key]["n_ab"],
            key[2],
            key[1],
        ),
    )
    assert set(found) == set(order[:7])


def test_an_item_too_rare_to_be_mined_leaves_single_items(spark, tmp_path, world):
    lines, catalogue, itemsets, _ = world
    lines = [*lines, ("b0", "rare")]
    found, rules, _ = mine(
        spark, tmp_path, lines, catalogue, "mine.must_contain=['rare']", levels=["product"]
    )
    assert set(found) == {key for key in itemsets if key[0] == "product" and len(key[1]) == 1}
    assert rules == {}


def test_ids_of_another_level_are_refused(spark, tmp_path, world):
    lines, catalogue, *_ = world
    with pytest.raises(
        SettingsError, match=r"mine\.exclude names no name that was sold.*\n.*p0.*\n.*hashes of names"
    ):
        mine(spark, tmp_path, lines, catalogue, "mine.exclude=['p0']", levels=["name"])
