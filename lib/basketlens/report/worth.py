"""What each method was worth on this data: the figures of `evaluation` that the page shows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from basketlens.evaluate.measures import ALL
from basketlens.evaluate.rows import MINUS, Row
from basketlens.evaluate.tasks import BASKETS, PAIRS
from basketlens.evaluate.winners import Winner

# Columns of the page: task, metric, class of the target.
SHOWN: Final = (
    (BASKETS, "hr@10", ALL),
    (BASKETS, "hr@50", ALL),
    (PAIRS, "recall@10", ALL),
    (PAIRS, "recall@50", ALL),
    (PAIRS, "cold_in@50", "cold"),
)


class Worth(NamedTuple):
    """One method on the days of the test, means of the seeds."""

    method: str
    values: Sequence[float | None]  # 0..1, one for each of `SHOWN`; None where it was not asked
    used_for: Sequence[str]  # tables that use it


def worth_of(rows: Sequence[Row], won: Mapping[str, Winner]) -> tuple[Worth, ...]:
    """The methods by falling first figure, ties by name; those that complete no baskets last.

    Args:
        rows: of `evaluation`.
        won: `winners` of these rows.
    """
    found: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        found[row.method, row.task, row.metric, row.of_class].append(row.value)
    methods = {row.method for row in rows if row.task.endswith(".test") and MINUS not in row.method}
    tables = {PAIRS: "associations", BASKETS: "recommendations"}
    made = [
        Worth(
            method,
            [
                _mean(found.get((method, f"{task}.test", metric, of_class)))
                for task, metric, of_class in SHOWN
            ],
            [tables[task] for task in tables if won[task].usable == method],
        )
        for method in methods
    ]
    return tuple(sorted(made, key=lambda w: (-(w.values[0] or 0.0), -(w.values[2] or 0.0), w.method)))


def _mean(values: Sequence[float] | None) -> float | None:
    return fmean(values) if values else None
