"""Lift within strata: ghosts of season and store vanish, what is real stays."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from basketlens.errors import LimitError
from basketlens.mine import stage
from basketlens.mine.strata import expected_together
from tests.unit.mine.local_io import LocalIO, settings_in

KINDS = "basket_id string, product_id string, sold_at timestamp, store_id string, promotion string"
DECEMBER = datetime(2025, 12, 1, 12)  # a Monday
COUNTS = pa.list_(pa.struct([("stratum", pa.int32()), ("count", pa.int64())]))


def counts(*per_stratum):
    return [{"stratum": s, "count": count} for s, count in enumerate(per_stratum) if count]


@pytest.mark.parametrize(
    ("a", "b", "together", "per_stratum", "lift", "stratified"),
    [
        pytest.param((50, 0), (50, 0), 25, (100, 900), 10, 1, id="store-ghost"),
        pytest.param((50, 450), (50, 450), 500, (100, 900), 2, 2, id="the-same-in-every-stratum"),
        pytest.param((40, 0), (40, 0), 32, (80, 80), 3.2, 1.6, id="part-ghost-part-real"),
        pytest.param((20,), (30,), 12, (100,), 2, 2, id="one-stratum-is-lift"),
    ],
)
def test_pooled_lift(a, b, together, per_stratum, lift, stratified):
    assert together * sum(per_stratum) / (sum(a) * sum(b)) == pytest.approx(lift)
    lists = [pa.array([counts(*side), []], COUNTS) for side in (a, b)]
    expected = expected_together(*lists, np.array(per_stratum))
    assert together / expected[0] == pytest.approx(stratified)
    assert expected[1] == 0


def mined(spark, folder, lines, *assignments):
    settings = settings_in(
        folder, "mine.levels=['product']", "mine.min_count=2", "mine.max_size=2", *assignments
    )
    io = LocalIO(spark, settings, {"lines": spark.createDataFrame(lines, KINDS)})
    stage.run(io, settings)
    return io


def test_two_december_products_are_a_ghost_and_two_that_go_together_are_not(spark, tmp_path):
    lines = []
    for number in range(400):
        at = DECEMBER + timedelta(days=7 * (number % 40))
        items = {"bread"} if number % 2 else {"milk"}
        items |= {"chips", "salsa"} if number % 8 == 0 else set()
        if number % 40 < 4:  # December: half of the baskets have stollen, half baubles, independently
            items |= {name for bit, name in enumerate(("stollen", "bauble")) if number // 40 >> bit & 1}
        lines += [(f"b{number}", item, at, None, None) for item in items]
    io = mined(spark, tmp_path, lines, "mine.stratify='week'")
    rules = {(r["antecedent"][0], r["consequent"][0]): r for r in io.read("rules").collect()}
    ghost, real = rules["stollen", "bauble"], rules["chips", "salsa"]
    assert ghost["lift"] > 8
    assert ghost["stratified_lift"] == pytest.approx(1, abs=0.25)
    assert real["lift"] == pytest.approx(8)
    assert io.figures["strata"] == 40
    with pytest.raises(LimitError, match=r"40 strata; mine.max_strata is 39"):
        mined(spark, tmp_path / "few", lines, "mine.stratify='week'", "mine.max_strata=39")


def test_nothing_asked_for_is_known(spark, tmp_path):
    lines = [(f"b{n}", item, None, None, None) for n in range(3) for item in "ab"]
    for stratify in ("store", "promotion"):
        io = mined(spark, tmp_path / stratify, lines, f"mine.stratify='{stratify}'", "mine.holdout=0.5")
        assert io.figures["strata"] == io.figures["held_out_baskets"] == io.figures["min_customers"] == 0
        assert "measuring itemsets again (product)" not in {doing for _, doing, *_ in io.steps}
        for row in io.read("rules").collect():
            assert (
                row["stratified_lift"]
                is row["holdout_lift"]
                is row["customers"]
                is row["extra_revenue"]
                is None
            )
