import pytest
from pyspark.sql import functions as F

from basketlens import schemas
from basketlens.errors import SettingsError
from basketlens.mine.top import check_measure, top_rules
from tests.builders import table

LIFTS = {"name": [("b", 2.0), ("c", 5.0), ("d", 5.0), ("e", None), ("f", 4.0)], "product": [("z", 1.0)]}


def rules_of(spark):
    rows = [
        {"level": level, "antecedent": ["a"], "consequent": [b], "n_ab": 3, "confidence": 0.5, "lift": lift}
        for level, lifts in LIFTS.items()
        for b, lift in lifts
    ]
    return table(spark, schemas.RULES, *rows)


@pytest.mark.parametrize(
    ("n", "levels", "wanted"),
    [
        pytest.param(0, ["name", "product"], "bcdefz", id="0-is-all"),
        pytest.param(1, ["name", "product"], "cz", id="of-each-level-and-ties-by-id"),
        pytest.param(4, ["name"], "bcdf", id="unknown-comes-last"),
    ],
)
def test_the_best_of_each_level(spark, n, levels, wanted):
    found = top_rules(rules_of(spark).repartition(3, F.rand(1)), levels, n=n, by="lift")
    assert "".join(sorted(row["consequent"][0] for row in found.collect())) == wanted


def test_what_is_no_measure_is_refused():
    with pytest.raises(SettingsError, match=r"mine\.rank_by = 'lifts'.*\n.*confidence, lift"):
        check_measure("lifts", schemas.RULES)
    with pytest.raises(SettingsError):
        check_measure("is_redundant", schemas.RULES)
    check_measure("n_ab", schemas.RULES)
