"""The last words of a run: what came out, the strongest associations, where the report is."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from basketlens.run import Outcome

_COUNTED = ("items", "itemsets", "rules", "links")  # tables, in the order in which people ask

_FILES_NAMED = 5


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
            f"{'rows':<9} {figures['rows_kept'] + figures['rows_rejected']:,} read, {figures['rows_kept']:,} kept,"
            f" {figures['rows_rejected']:,} rejected, {figures['rows_merged']:,} merged into another line"
        )
    if skipped := figures.get("skipped_files"):
        yield f"{'skipped':<9} {_skipped(skipped)}"
    yield from (f"{'warning':<9} {said}" for said in figures.get("quality_warnings", ()))
    yield from (f"{table:<9} {rows[table]:,}" for table in _COUNTED if table in rows)
    if top := figures.get("top_associations"):
        yield from ("", f"The {len(top)} strongest associations")
        for place, found in enumerate(top, 1):
            yield from _association(place, *found)
        yield ""
    if "report" in figures:
        yield f"{'report':<9} {figures['report']}"
    yield f"{'tables':<9} {root}"


def _skipped(files: Sequence[str]) -> str:
    """How many files were left out, and the first of them; all are in the manifest."""
    named = ", ".join(files[:_FILES_NAMED]) + (", ..." if len(files) > _FILES_NAMED else "")
    return f"{len(files):,} {'file' if len(files) == 1 else 'files'} that could not be read: {named}"


def _association(
    place: int, item: str, neighbor: str, together: int, confidence: float, lift: float, strength: float
) -> Iterator[str]:
    yield f"{place:>3}. {item}"
    yield f"   + {neighbor}"
    yield f"     together in {together:,} baskets: {confidence:.0%} of the first's, {lift:.1f} times chance; strength {strength:.3f}"
