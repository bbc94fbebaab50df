"""The last words of a run: what came out, the strongest associations, where the report is."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from basketlens.run import Outcome


def show(outcomes: Sequence[Outcome], root: str) -> None:
    """Print the summary of a run to standard output."""
    sys.stdout.write("\n".join(("", *lines_of(outcomes, root), "")))
    sys.stdout.flush()


def lines_of(outcomes: Sequence[Outcome], root: str) -> Iterator[str]:
    """The summary, a line at a time; stages that were skipped show what their last run made."""
    rows = {table: count for outcome in outcomes for table, count in outcome.rows.items()}
    figures: dict[str, Any] = {}
    for outcome in outcomes:
        figures.update(outcome.figures)
    if all(outcome.status == "skipped" for outcome in outcomes):
        yield "Nothing has changed since the last run: every stage was skipped."
    if "rows_kept" in figures:
        yield (
            f"rows        {figures['rows_kept'] + figures['rows_rejected']:,} read, {figures['rows_kept']:,} kept,"
            f" {figures['rows_rejected']:,} rejected, {figures['rows_merged']:,} merged into another line"
        )
    for label, table in (
        ("items", "items"),
        ("links", "links"),
        ("itemsets", "itemsets"),
        ("rules", "rules"),
    ):
        if table in rows:
            yield f"{label:<11} {rows[table]:,}"
    if top := figures.get("top_associations"):
        yield ""
        yield from _strongest(top)
    yield ""
    if "report" in figures:
        yield f"report      {figures['report']}"
    yield f"tables      {root}"


def _strongest(top: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"The {len(top)} strongest associations"
    for place, found in enumerate(top, 1):
        yield f"{place:>3}. {found['item_name']}\n     + {found['neighbor_name']}\n     {found['evidence']}"
