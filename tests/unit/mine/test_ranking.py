"""The order of rules, by each kind of measure."""

import pytest
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.ranking import best_first, measures_in

NAN = float("nan")
ROWS = [  # consequent, n_ab, confidence, lift, conviction, p_value
    (["e"], 3, 0.5, NAN, 1.0, 1e-9),
    (["d"], 3, 0.5, None, None, 0.1),
    (["c"], 4, 0.5, 3.0, 2.0, None),
    (["b"], 4, 0.5, 2.0, 2.0, NAN),
]
KIND = (
    "consequent array<string>, n_ab long, confidence double, lift double, conviction double, p_value double"
)


@pytest.mark.parametrize(
    ("measure", "wanted"),
    [
        pytest.param(c.CONFIDENCE, "bcde", id="equal-in-all-goes-by-n-ab-and-ids"),
        pytest.param(c.LIFT, "cbde", id="nan-and-null-come-last"),
        pytest.param(c.CONVICTION, "dbce", id="conviction-null-is-infinite"),
        pytest.param(c.P_VALUE, "edbc", id="the-least-p-is-the-best"),
        pytest.param(c.N_AB, "bcde", id="a-count"),
    ],
)
def test_order(spark, measure, wanted):
    rules = spark.createDataFrame(ROWS, KIND).withColumn(c.ANTECEDENT, F.array(F.lit("a")))
    assert "".join(row.consequent[0] for row in rules.orderBy(*best_first(measure)).collect()) == wanted


def test_numbers_alone_can_rank(spark):
    assert (
        measures_in(spark.createDataFrame(ROWS, KIND).schema)
        == KIND.replace(" long", "").replace(" double", "").split(", ")[1:]
    )
