"""Each gate at, below and above its limit; what counts as an earlier run; what people are told."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from basketlens import schemas
from basketlens.clean import gates as g
from basketlens.errors import GateError, SettingsError
from basketlens.windows import DayWindow
from tests.builders import settings, table

FIGURES = {
    "rows_in": 1000, "rows_kept": 900, "rows_rejected": 100, "lines": 800, "baskets": 400, "unknown_products": 0,
    "quantity_out_of_range": 0, "price_out_of_range": 0, "rejected:duplicate": 70, "rejected:bad_amount": 30,
}  # fmt: skip
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
DAY = DayWindow(date(2025, 1, 30), date(2025, 1, 31))
WHOLE = DayWindow(None, None)


def gates(*assignments):
    return settings(*(f"clean.gates.{assignment}" for assignment in assignments)).clean.gates


def earlier(metric: str, *values: float) -> pd.DataFrame:
    """Values of a metric, oldest first."""
    rows = [(f"r{i}", NOON + timedelta(days=i), f"gates.{metric}", value) for i, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["run_id", "measured_at", "metric", "value"])


def verdict_of(name, chosen, figures, history=None):
    [found] = [v for v in g.judge(chosen, {**FIGURES, **figures}, history) if v.metric == f"gates.{name}"]
    return found


SHARES = {
    "rejected": ("rows_rejected", 1000, "max=0.3", "rows were rejected"),
    "rejected_by_reason.duplicate": (
        "rejected:duplicate",
        1000,
        "max.duplicate=0.3",
        "rejected as duplicate",
    ),
    "unknown_products": ("unknown_products", 1000, "max=0.3", "the catalogue does not have"),
    "quantity": ("quantity_out_of_range", 800, "max=0.3", "outside 0 to 1000 units"),
    "price": ("price_out_of_range", 800, "max=0.3", "outside 0.01 to 10000 of the currency per unit"),
}


@pytest.mark.parametrize("action", ["off", "warn", "fail"])
@pytest.mark.parametrize("name", SHARES)
def test_a_share_at_below_and_above_its_limit(name, action):
    figure, whole, limit, words = SHARES[name]
    section = name.split(".", maxsplit=1)[0]
    chosen = gates(f"{section}.{limit}", f"{section}.action={action}")
    at = int(0.3 * whole)
    found = {rows: verdict_of(name, chosen, {figure: rows}) for rows in (0, at - 1, at, at + 1)}
    beyond = "info" if action == "off" else action
    good = "info" if action == "off" else "ok"
    assert [v.outcome for v in found.values()] == [good, good, good, beyond]
    assert [v.value for v in found.values()] == [0, (at - 1) / whole, 0.3, (at + 1) / whole]
    assert {(v.low, v.high, v.action) for v in found.values()} == {(None, 0.3, action)}
    assert words in found[at + 1].detail
    assert f"of {whole:,}" in found[at + 1].detail
    assert f"clean.gates.{section} allows 30%" in found[at + 1].detail
    assert not found[at + 1].detail.startswith("30% ")


@pytest.mark.parametrize(
    ("rows", "history", "outcome"),
    [
        pytest.param(1000, (1000, 1000), "info", id="two-runs-say-nothing"),
        pytest.param(1000, (1000, 2000, 9000), "ok", id="half-the-median"),
        pytest.param(999, (1000, 2000, 9000), "warn", id="less-than-half"),
        pytest.param(4000, (1000, 2000, 9000), "ok", id="twice-the-median"),
        pytest.param(4001, (1000, 2000, 9000), "warn", id="more-than-twice"),
        pytest.param(100, (9, 9, 9, 9, 100, 100, 100, 100, 100, 100, 100), "ok", id="only-the-last-seven"),
        pytest.param(100, (100, 100, float("nan")), "info", id="an-unknown-figure-is-no-run"),
        pytest.param(5, (0, 0, 0), "warn", id="after-nothing-at-all"),
    ],
)
def test_rows_against_earlier_runs(rows, history, outcome):
    found = verdict_of("rows", gates("rejected.action=off"), {"rows_in": rows}, earlier("rows", *history))
    assert found.outcome == outcome
    assert found.value == rows
    assert f"{rows:,} rows came in" in found.detail


def test_the_limits_of_a_drift_are_in_its_own_unit():
    found = verdict_of("rows", gates(), {"rows_in": 5000}, earlier("rows", 1000, 2000, 9000))
    assert (found.low, found.high) == (1000, 4000)
    assert found.detail == (
        "5,000 rows came in against a median of 2,000 over 3 earlier runs; clean.gates.rows allows 1,000 to 4,000"
    )


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        pytest.param(800, "ok", id="as-before"),
        pytest.param(960, "ok", id="a-fifth-more"),
        pytest.param(961, "warn", id="above"),
        pytest.param(640, "ok", id="a-fifth-less"),
        pytest.param(639, "warn", id="below"),
    ],
)
def test_basket_size_against_earlier_runs(lines, outcome):
    found = verdict_of("basket_size", gates(), {"lines": lines}, earlier("basket_size", 1.0, 2.0, 3.0))
    assert (found.value, found.outcome) == (lines / 400, outcome)
    assert (found.low, found.high) == pytest.approx((1.6, 2.4))


def test_nothing_is_divided_by_nothing():
    verdicts = g.judge(gates(), dict.fromkeys(FIGURES, 0), None)
    assert {v.metric: v.value for v in verdicts if v.metric.startswith("gates.")} == dict.fromkeys(
        ("gates.rejected", "gates.unknown_products", "gates.quantity", "gates.price", "gates.rows"), 0
    )
    assert {v.outcome for v in verdicts} == {"ok", "info"}


def test_what_was_not_measured_is_not_judged():
    metrics = [
        v.metric for v in g.judge(gates("rejected_by_reason.max.malformed_row=0.1"), {"rows_in": 5}, None)
    ]
    assert metrics == ["gates.rejected_by_reason.malformed_row", "gates.rows", "rows_in"]


def test_a_failed_gate_says_which_with_figures_and_reasons():
    verdicts = g.judge(
        gates("rejected.max=0.05", "quantity.action=fail", "price.max=0"),
        {**FIGURES, "quantity_out_of_range": 80, "price_out_of_range": 1, "rejected:no_rows": 0},
    )
    with pytest.raises(GateError) as error:
        g.stop_if_failed(verdicts)
    assert str(error.value) == (
        "2 data-quality gates failed. Nothing was published.\n"
        "  gates.rejected: 10% of 1,000 rows were rejected; clean.gates.rejected allows 5%\n"
        "  gates.quantity: 10% of 800 lines have a quantity outside 0 to 1000 units; clean.gates.quantity allows 1%\n"
        "  Rejected: duplicate 70, bad_amount 30\n"
        "  Next: mend the feed, or change the gate's limit or action; table data_quality has all figures"
    )
    assert error.value.exit_status == 3
    assert g.warnings_of(verdicts) == [
        "0.125% of 800 lines have a price outside 0.01 to 10000 of the currency per unit; clean.gates.price allows 0%"
    ]


def test_a_good_run_passes_without_a_word():
    verdicts = g.judge(gates(), FIGURES, earlier("rows", 1000, 1000, 1000))
    g.stop_if_failed(verdicts)
    assert g.warnings_of(verdicts) == []
    assert {v.metric: (v.value, v.outcome, v.action) for v in verdicts if "gates" not in v.metric} == {
        name: (value, "info", None) for name, value in FIGURES.items()
    }


def log(run_id, at, rows, *, window=WHOLE, outcome="ok", size=2.0):
    """One run's rows of `data_quality`."""
    verdicts = [
        g.Verdict("gates.rows", float(rows), outcome=outcome),
        g.Verdict("gates.basket_size", size),
        g.Verdict("lines", 9.0),
    ]
    return g.rows_of(verdicts, run_id=run_id, window=window, measured_at=NOON + timedelta(hours=at))


def test_which_runs_count_as_earlier(spark):
    runs = [
        *log("whole-1", 1, 10), *log("whole-2", 2, 20, outcome="warn"), *log("stopped", 3, 30, outcome="fail"),
        *log("day-1", 4, 40, window=DAY), *log("day-2", 5, 50, window=DayWindow(date(2024, 2, 29), date(2024, 3, 1))),
        *log("two-days", 6, 60, window=DayWindow(date(2025, 1, 29), date(2025, 1, 31))),
        *log("since", 7, 70, window=DayWindow(date(2025, 1, 30), None)),
        *log("until", 8, 80, window=DayWindow(None, date(2025, 1, 30))),
        *log("again", 9, 90, outcome="fail"), *log("again", 10, 100),
    ]  # fmt: skip
    logged = table(spark, schemas.DATA_QUALITY, *runs)
    expected = {
        WHOLE: [100, 20, 10],
        DAY: [50, 40],
        DayWindow(date(2020, 1, 1), None): [70],
        DayWindow(None, date(2020, 1, 1)): [80],
        DayWindow(date(2020, 1, 1), date(2021, 1, 1)): [],
    }
    for window, rows in expected.items():
        frame = g.earlier_runs(logged, gates(), window).toPandas()
        assert frame[frame.metric == "gates.rows"].value.tolist() == rows
        assert frame[frame.metric == "gates.basket_size"].value.tolist() == [2.0] * len(rows)
        assert len(frame) == 2 * len(rows)
    short = gates("rows.runs=3", "basket_size.runs=3")
    many = [row for i in range(9) for row in log(f"r{i}", i, i)]
    frame = g.earlier_runs(table(spark, schemas.DATA_QUALITY, *many), short, WHOLE).toPandas()
    assert len(frame) == g.history_limit(short) == 6
    assert frame.value.tolist() == [2.0, 8.0, 2.0, 7.0, 2.0, 6.0]


def test_an_empty_log_is_no_history(spark):
    frame = g.earlier_runs(table(spark, schemas.DATA_QUALITY), gates(), WHOLE).toPandas()
    assert verdict_of("rows", gates(), {}, frame).outcome == "info"


def test_rows_of_a_run_fit_the_table(spark):
    rows = g.rows_of(g.judge(gates(), FIGURES), run_id="r1", window=DAY, measured_at=NOON)
    found = table(spark, schemas.DATA_QUALITY, *rows).collect()
    assert {(row.run_id, row.since, row.until) for row in found} == {("r1", DAY.since, DAY.until)}
    assert all(set(row) == set(schemas.DATA_QUALITY.names) for row in rows)


def test_ranges_are_measured_over_lines(spark):
    lines = [
        {"quantity": 1.0, "amount": Decimal("2.00")},
        {"quantity": 10.0, "amount": Decimal("100.00")},  # at the limits of both
        {"quantity": 10.1, "amount": Decimal("1.00")},
        {"quantity": 0.4, "amount": Decimal("4.04")},  # 10.1 a unit
        {"quantity": 0.0, "amount": Decimal("1.00")},  # no price
        {"quantity": None, "amount": Decimal("1.00")},
        {"quantity": 2.0, "amount": None},
        {"quantity": float("nan"), "amount": Decimal("1.00")},
        {"quantity": float("inf"), "amount": Decimal("1.00")},
        {"quantity": -1.0, "amount": Decimal("1.00")},
    ]
    chosen = gates("quantity.high=10.0", "price.low=0.05", "price.high=10")
    taken = g.measures(chosen)
    rows = [{"basket_id": f"b{i // 2}", **line} for i, line in enumerate(lines)]
    named = [column.alias(name) for name, column in taken.items()]
    found = table(spark, schemas.LINES, *rows).agg(*named).first().asDict()
    # quantity: 10.1, NaN, infinity and -1; price: 10.1 a unit, NaN, 1 / infinity and 1 / -1
    assert found == {"lines": 10, "baskets": 5, "quantity_out_of_range": 4, "price_out_of_range": 4}
    none = table(spark, schemas.LINES).agg(*named).first().asDict()
    assert none == dict.fromkeys(taken, 0)


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        pytest.param("rejected.action=stop", "'off', 'warn' or 'fail'", id="action"),
        pytest.param("rejected.max=1.5", "less than or equal to 1", id="share"),
        pytest.param("rejected_by_reason.max.duplicate=2", "clean.gates.rejected_by_reason.max.duplicate", id="reason"),
        pytest.param("quantity.low=2000.0", "low not above high", id="range"),
        pytest.param("price.high=inf", "finite number", id="infinite"),
        pytest.param("rows.runs=2", "greater than or equal to 3", id="runs"),
        pytest.param("row.runs=3", "rows is the nearest", id="unknown-gate"),
    ],
)  # fmt: skip
def test_wrong_gates_are_refused(assignment, part):
    with pytest.raises(SettingsError) as error:
        gates(assignment)
    assert part in str(error.value)
