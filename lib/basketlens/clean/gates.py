"""Gates: is what a run has cleaned good enough to publish?  Figures against limits, some against earlier runs.

`measures` are taken while lines are written, `judge` turns figures into verdicts, and `stop_if_failed` speaks.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import reasons
from basketlens.errors import GateError
from basketlens.settings_gates import ChangeGate, Gate, GateSettings, RangeGate, RatioGate
from basketlens.windows import DayWindow

FEWEST_RUNS: Final = 3  # a median of fewer says little
REJECTED: Final = "rejected:"  # figure of a reason: rejected:duplicate
_GATE: Final = "gates."  # metric of a gate, as its setting is called below [clean]
_ROWS: Final = f"{_GATE}rows"
_BASKET_SIZE: Final = f"{_GATE}basket_size"
_SLACK: Final = 1e-9  # so that a figure at its limit passes, whatever the limit's last binary digit
_MOST_REASONS: Final = 10  # named in the message of a failed gate


class Verdict(NamedTuple):
    """What `data_quality` says of one figure."""

    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    action: str | None = None
    outcome: str = "info"
    detail: str | None = None


def measures(gates: GateSettings) -> Mapping[str, Column]:
    """Aggregates over the rows of `lines`, as `StageIO.write` takes them."""
    quantity = F.col(c.QUANTITY)
    price = F.try_divide(F.col(c.AMOUNT).cast("double"), quantity)  # null for no quantity, or none of them
    return {
        "lines": F.count("*"),
        "baskets": F.approx_count_distinct(c.BASKET_ID, 0.01),  # a hundredth of drift is no drift
        "quantity_out_of_range": _outside(quantity, gates.quantity),
        "price_out_of_range": _outside(price, gates.price),
    }


def per_reason() -> Mapping[str, Column]:
    """Aggregates over the rows of `rejects`: how many have each reason."""
    return {f"{REJECTED}{reason}": F.count_if(F.array_contains(c.REASONS, reason)) for reason in reasons.ALL}


def _outside(value: Column, gate: RangeGate) -> Column:
    """Rows whose value is known and outside; NaN is above every number, so it is outside."""
    return F.count(F.when((value < gate.low) | (value > gate.high), 1))


def earlier_runs(data_quality: DataFrame, gates: GateSettings, window: DayWindow) -> DataFrame:
    """The figures that gates compare with, newest first, of runs over as many days that no gate has stopped.

    At most `history_limit` rows of run_id, measured_at, metric, value.
    """
    attempt = [c.RUN_ID, c.MEASURED_AT]  # a run that is started again under its id is another attempt
    stopped = data_quality.filter(F.col(c.OUTCOME) == "fail").select(*attempt).distinct()
    days = F.datediff(c.UNTIL, c.SINCE)
    is_as_long = (
        days.eqNullSafe(F.lit(window.days).cast("int"))
        & (F.col(c.SINCE).isNull() == F.lit(window.since is None))
        & (F.col(c.UNTIL).isNull() == F.lit(window.until is None))
    )
    return (
        data_quality.filter(F.col(c.METRIC).isin(_ROWS, _BASKET_SIZE) & is_as_long)
        .join(stopped, attempt, "left_anti")
        .select(*attempt, c.METRIC, c.VALUE)
        .orderBy(F.desc(c.MEASURED_AT), c.RUN_ID, c.METRIC)
        .limit(history_limit(gates))
    )


def history_limit(gates: GateSettings) -> int:
    """Rows that `earlier_runs` gives at most: two metrics of each run."""
    return 2 * max(gates.rows.runs, gates.basket_size.runs)


def judge(
    gates: GateSettings, figures: Mapping[str, float], earlier: pd.DataFrame | None = None
) -> list[Verdict]:
    """A verdict for every gate whose figure was measured, then every figure as it is.

    Args:
        gates: the limits.
        figures: rows_in, rows_kept, rows_rejected, lines, baskets, unknown_products (rows), quantity_out_of_range
            and price_out_of_range (lines), and rejected:<reason> (rows).
        earlier: `earlier_runs` on the driver; None when there is no log yet.
    """
    plain = [Verdict(name, float(value)) for name, value in sorted(figures.items())]
    return [*_shares(gates, figures), *_drifts(gates, figures, _by_metric(earlier)), *plain]


class _Limit(NamedTuple):
    """A share of this run's rows or lines that may not be too large."""

    metric: str
    gate: Gate
    max: float
    part: str  # figure
    whole: str  # figure
    what: str  # of the whole, for people


def _limits(gates: GateSettings) -> Iterator[_Limit]:
    yield _Limit(
        "rejected", gates.rejected, gates.rejected.max, "rows_rejected", "rows_in", "rows were rejected"
    )
    reasons = gates.rejected_by_reason
    for reason, limit in sorted(reasons.max.items()):
        what = f"rows were rejected as {reason}"
        yield _Limit(f"rejected_by_reason.{reason}", reasons, limit, f"{REJECTED}{reason}", "rows_in", what)
    unknown, what = gates.unknown_products, "rows have a product that the catalogue does not have"
    yield _Limit("unknown_products", unknown, unknown.max, "unknown_products", "rows_in", what)
    for metric, unit, gate in (
        ("quantity", "units", gates.quantity),
        ("price", "of the currency per unit", gates.price),
    ):
        what = f"lines have a {metric} outside {gate.low:g} to {gate.high:g} {unit}"
        yield _Limit(metric, gate, gate.max, f"{metric}_out_of_range", "lines", what)


def _shares(gates: GateSettings, figures: Mapping[str, float]) -> Iterator[Verdict]:
    """Gates on a share of rows or lines of this run; one whose figure was not measured has no verdict."""
    # A reason that no row has was measured: none.
    figures = {**{f"{REJECTED}{reason}": 0 for reason in gates.rejected_by_reason.max}, **figures}
    for limit in _limits(gates):
        if limit.part in figures:
            whole = figures.get(limit.whole, 0)
            share = float(figures[limit.part] / whole) if whole else 0.0
            said = (
                f"{_percent(share)} of {int(whole):,} {limit.what};"
                f" clean.gates.{limit.metric.partition('.')[0]} allows {_percent(limit.max)}"
            )
            yield _verdict(limit.metric, limit.gate, share, None, limit.max, said)


def _drifts(
    gates: GateSettings, figures: Mapping[str, float], earlier: Mapping[str, Sequence[float]]
) -> Iterator[Verdict]:
    """Gates on a figure against its median over earlier runs."""

    def drift(
        name: str, gate: RatioGate | ChangeGate, low: float, high: float, value: float, said: str
    ) -> Verdict:
        last = earlier.get(f"{_GATE}{name}", ())[: gate.runs]
        if len(last) < FEWEST_RUNS:
            said = f"{said}; not compared: {FEWEST_RUNS} earlier runs over as many days are needed, and there are {len(last)}"
            return Verdict(f"{_GATE}{name}", value, action=gate.action, detail=said)
        median = statistics.median(last)
        said = (
            f"{said} against a median of {_number(median)} over {len(last)} earlier runs;"
            f" clean.gates.{name} allows {_number(low * median)} to {_number(high * median)}"
        )
        return _verdict(name, gate, value, low * median, high * median, said)

    if "rows_in" in figures:
        said = f"{int(figures['rows_in']):,} rows came in"
        yield drift("rows", gates.rows, gates.rows.low, gates.rows.high, float(figures["rows_in"]), said)
    if figures.get("baskets"):
        size, change = float(figures["lines"] / figures["baskets"]), gates.basket_size.max
        said = f"{_number(size)} lines per basket"
        yield drift("basket_size", gates.basket_size, max(0.0, 1 - change), 1 + change, size, said)


def _verdict(
    name: str, gate: Gate, value: float, low: float | None, high: float | None, said: str
) -> Verdict:
    is_low = low is not None and value < low * (1 - _SLACK)
    is_high = high is not None and value > high * (1 + _SLACK)
    outcome = "info" if gate.action == "off" else gate.action if is_low or is_high else "ok"
    return Verdict(f"{_GATE}{name}", value, low, high, gate.action, outcome, said)


def _by_metric(earlier: pd.DataFrame | None) -> dict[str, list[float]]:
    """Metric -> its values, newest first."""
    if earlier is None:
        return {}
    newest_first = earlier.dropna(subset=[c.VALUE]).sort_values(c.MEASURED_AT, ascending=False, kind="stable")
    return {str(metric): rows[c.VALUE].tolist() for metric, rows in newest_first.groupby(c.METRIC)}


def rows_of(
    verdicts: Sequence[Verdict], *, run_id: str, window: DayWindow, measured_at: datetime
) -> list[dict[str, Any]]:
    """Verdicts as rows of `data_quality`."""
    run = {c.RUN_ID: run_id, c.MEASURED_AT: measured_at, c.SINCE: window.since, c.UNTIL: window.until}
    return [{**run, **verdict._asdict()} for verdict in verdicts]


def warnings_of(verdicts: Sequence[Verdict]) -> list[str]:
    """What the summary says, one sentence a gate."""
    return [verdict.detail or verdict.metric for verdict in verdicts if verdict.outcome == "warn"]


def stop_if_failed(verdicts: Sequence[Verdict]) -> None:
    """Stop the run when a gate failed.

    Raises:
        GateError: names every failed gate with its figures and limits, and why rows were rejected.
    """
    failed = [verdict for verdict in verdicts if verdict.outcome == "fail"]
    if not failed:
        return
    counted = [(v.metric.removeprefix(REJECTED), v.value) for v in verdicts if v.metric.startswith(REJECTED)]
    worst = sorted((pair for pair in counted if pair[1]), key=lambda pair: (-pair[1], pair[0]))[
        :_MOST_REASONS
    ]
    lines = [f"{len(failed)} data-quality gate{'s' * (len(failed) > 1)} failed. Nothing was published."]
    lines += [f"  {verdict.metric}: {verdict.detail}" for verdict in failed]
    if worst:
        lines.append(f"  Rejected: {', '.join(f'{reason} {int(rows):,}' for reason, rows in worst)}")
    lines.append(
        "  Next: mend the feed, or change the gate's limit or action; table data_quality has all figures"
    )
    raise GateError("\n".join(lines))


def _percent(share: float) -> str:
    """Four digits, so that a share just above its limit does not look like it."""
    return f"{100 * share:.4g}%"


def _number(value: float) -> str:
    """Four digits of a small number; a large one in full."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"  # noqa: PLR2004 - four digits either way
