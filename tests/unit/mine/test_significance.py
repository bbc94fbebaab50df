import numpy as np
import pytest
from pyspark.sql import functions as F

from basketlens.mine.significance import with_fisher, with_lift_interval, with_p_values

COUNTS = "n_ab long, n_a long, n_b long, n long"


def test_p_of_zero_never_stands_in_the_table(spark):
    rows = [(10, 20, 40, 100), (400_000, 1_000_000, 1_000_000, 10_000_000_000), (40, 40, 100, 100)]
    tested = with_fisher(spark.createDataFrame(rows, COUNTS), ()).withColumns(
        {"log10_q": F.col("log10_p") / 2, "log10_holm_p": F.lit(0.0)}
    )
    usual, tiny, certain = with_p_values(tested).collect()
    assert usual["p_value"] == pytest.approx(10 ** usual["log10_p"]) == pytest.approx(1 - usual["p_below"])
    assert (tiny["p_value"], tiny["q_value"], tiny["holm_p"]) == (1e-308, 1e-308, 1.0)
    assert tiny["log10_p"] < -1_000_000
    assert (certain["p_value"], certain["log10_p"]) == (1.0, 0.0)
    assert usual["quantile_99"] is None  # it was not asked for


def test_a_rule_and_its_reverse_have_the_same_p(spark):
    draw = np.random.default_rng(3)
    a, b = draw.integers(50, 5000, (2, 300))
    ab = np.minimum(np.minimum(a, b), draw.integers(1, 400, 300))
    rows = [*zip(ab, a, b, [20_000] * 300, strict=True), *zip(ab, b, a, [20_000] * 300, strict=True)]
    rules = spark.createDataFrame([tuple(map(int, row)) for row in rows], COUNTS)
    found = np.array([r["log10_p"] for r in with_fisher(rules, ()).collect()])
    assert (found[:300] == found[300:]).all()


@pytest.mark.parametrize(
    ("shares", "n"),
    [
        pytest.param((0.06, 0.09, 0.14, 0.71), 2000, id="usual"),
        pytest.param((0.3, 0.2, 0.1, 0.4), 500, id="common"),
        pytest.param((0.004, 0.03, 0.02, 0.946), 20_000, id="rare"),
    ],
)
def test_the_interval_holds_lift_in_95_of_100(spark, shares, n):
    """4,000 samples from known shares of baskets: the standard error of the count is 0.35 percent points."""
    n_ab, only_a, only_b, _ = np.random.default_rng(11).multinomial(n, shares, 4000).T
    rows = [(*map(int, row), n) for row in zip(n_ab, n_ab + only_a, n_ab + only_b, strict=True)]
    lift = F.col("n_ab") * F.col("n") / (F.col("n_a") * F.col("n_b"))
    rules = with_lift_interval(spark.createDataFrame(rows, COUNTS).withColumn("lift", lift))
    true = shares[0] / ((shares[0] + shares[1]) * (shares[0] + shares[2]))
    held, low = rules.select(
        F.avg(F.lit(true).between(F.col("lift_low"), F.col("lift_high")).cast("double")),
        F.avg((F.col("lift_low") > true).cast("double")),
    ).first()
    assert held == pytest.approx(0.95, abs=0.012)
    assert low == pytest.approx(0.025, abs=0.012)
