import itertools

import numpy as np
import pytest
from pyspark.sql import functions as F

from basketlens.report import strength

SCHEMA = "n_ab long, n_a long, n_b long, n long, lift double, attention double, strength double"


def value(spark, *, prior, n_ab=None, n_a=None, attention=None):
    row = spark.createDataFrame([(n_ab, n_a, None, None, None, attention, None)], SCHEMA)
    return row.select(strength.strength(prior).alias("value")).first().value


@pytest.mark.parametrize(("given", "wanted"), [
    pytest.param({"n_ab": 30, "n_a": 100, "attention": 0.1, "prior": 100.0}, 0.2, id="halfway-when-baskets-equal-prior"),
    pytest.param({"n_ab": 30, "n_a": 100, "attention": 0.9, "prior": 0.0}, 0.3, id="no-prior-is-confidence"),
    pytest.param({"n_a": 100, "attention": 0.5, "prior": 100.0}, 0.25, id="uncounted-pair-is-no-baskets"),
    pytest.param({"attention": 0.7, "prior": 100.0}, 0.7, id="uncounted-item-is-attention"),
    pytest.param({"attention": 0.7, "prior": 0.0}, 0.7, id="nothing-to-divide-by-is-attention"),
    pytest.param({"n_ab": 30, "n_a": 100, "prior": 50.0}, 0.2, id="missing-attention-is-none"),
    pytest.param({"prior": 0.0}, 0.0, id="no-evidence-at-all"),
])  # fmt: skip
def test_strength(spark, given, wanted):
    assert value(spark, **given) == pytest.approx(wanted)


@pytest.mark.parametrize("prior", [0.0, 0.5, 100.0, 1e6])
def test_strength_lies_in_0_to_1_and_never_falls_with_more_evidence(spark, prior):
    counts = [
        (None, None),
        *(
            (n_ab, n_a)
            for n_a in (1, 7, 300, 10**9)
            for n_ab in (None, 1, 2, 6, 7, 299, n_a)
            if (n_ab or 0) <= n_a
        ),
    ]
    attentions = [None, 0.0, 1e-300, *np.random.default_rng(7).random(12).tolist(), 1.0]
    rows = [
        (n_ab, n_a, None, None, None, a, None) for (n_ab, n_a), a in itertools.product(counts, attentions)
    ]
    found = spark.createDataFrame(rows, SCHEMA).withColumn("strength", strength.strength(prior)).toPandas()
    found = found.assign(
        n_ab=found.n_ab.fillna(0), n_a=found.n_a.fillna(0), attention=found.attention.fillna(0)
    )
    assert found.strength.between(0, 1).all()
    for more, same in (("n_ab", ["n_a", "attention"]), ("attention", ["n_a", "n_ab"])):
        for _, group in found.sort_values(more, kind="stable").groupby(same):
            assert (group.strength.diff().dropna() >= -1e-15).all(), (more, group)


@pytest.mark.parametrize(("n_ab", "lift", "is_linked", "wanted"), [
    pytest.param(50, 1.0, True, "complement", id="independent-still-agrees"),
    pytest.param(50, 0.999, True, "substitute", id="alike-but-apart"),
    pytest.param(50, 9.0, False, "basket_only", id="names-say-nothing"),
    pytest.param(50, 0.1, False, "basket_only", id="apart-and-not-alike"),
    pytest.param(None, None, True, "text_only", id="names-alone"),
])  # fmt: skip
def test_kind(spark, n_ab, lift, is_linked, wanted):
    row = spark.createDataFrame([(n_ab, None, None, None, lift, None, None)], SCHEMA)
    assert row.select(strength.kind(F.lit(is_linked)).alias("kind")).first().kind == wanted


def order(spark, discount, *rows):
    """Positions of rows (n_ab, n_b, attention, strength) of 1,000 baskets, best first."""
    filled = [(n_ab, None, n_b, 1000, None, a, s, at) for at, (n_ab, n_b, a, s) in enumerate(rows)]
    frame = spark.createDataFrame(filled, SCHEMA + ", at int")
    return [row.at for row in frame.orderBy(*strength.placement(discount)).collect()]


@pytest.mark.parametrize(("discount", "rows", "wanted"), [
    pytest.param(0.0, [(9, 10, 0.1, 0.3), (9, 900, 0.1, 0.4)], [1, 0], id="no-discount-is-strength"),
    pytest.param(0.5, [(9, 10, 0.1, 0.3), (9, 900, 0.1, 0.4)], [0, 1], id="discount-prefers-the-specific"),
    pytest.param(0.5, [(None, None, 0.9, 0.9), (9, 900, 0.1, 0.01)], [1, 0], id="counted-first"),
    pytest.param(0.5, [(None, 10, 0.2, 0.1), (None, None, 0.3, 0.3)], [1, 0], id="names-alone-by-attention"),
    pytest.param(0.5, [(None, None, None, 0.0), (None, None, 0.3, 0.3)], [1, 0], id="no-attention-last"),
])  # fmt: skip
def test_placement(spark, discount, rows, wanted):
    assert order(spark, discount, *rows) == wanted
