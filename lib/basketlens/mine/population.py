"""The baskets that are counted, and what happens to those that are too large to be somebody's shopping."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas
from basketlens.mine.baskets import N_LINES
from basketlens.settings_mine import MineSettings
from basketlens.stage_io import StageIO, Written

LARGE: Final = "large_baskets"  # metric, baskets
LARGE_LINES: Final = "large_basket_lines"  # metric, receipt lines of theirs


class Population(NamedTuple):
    """What the stage counts."""

    baskets: int  # n of every support
    lines: int  # read, with those of excluded baskets
    large_baskets: int  # more than `mine.max_basket_items` items at some level that is mined
    large_basket_lines: int

    def quality_rows(self, mine: MineSettings, *, run_id: str) -> list[dict[str, Any]]:
        """For the log `data_quality`: two figures, and a sentence where there were large baskets."""
        done = {
            "truncate": f"each was cut to its {mine.max_basket_items:,} most frequent items",
            "exclude": "they were left out and count nowhere",
        }[mine.large_baskets]
        said = (
            f"{self.large_baskets:,} {'basket has' if self.large_baskets == 1 else 'baskets have'} more than"
            f" {mine.max_basket_items:,} different items, {self.large_basket_lines:,} receipt lines in all:"
            f" {done} (mine.max_basket_items, mine.large_baskets)."
        )
        blank = dict.fromkeys(schemas.DATA_QUALITY.names)
        row = {**blank, c.RUN_ID: run_id, c.MEASURED_AT: datetime.now(UTC), c.OUTCOME: "info"}
        return [
            {**row, c.METRIC: LARGE, c.VALUE: float(self.large_baskets), c.DETAIL: said if self.large_baskets else None},
            {**row, c.METRIC: LARGE_LINES, c.VALUE: float(self.large_basket_lines)},
        ]  # fmt: skip

    @property
    def figures(self) -> dict[str, Any]:
        """For the run's note."""
        return {"rows_in": self.lines, **self._asdict()}


def write_baskets(io: StageIO, grouped: DataFrame, mine: MineSettings) -> Population:
    """Write scratch `baskets`: all of them, or with `mine.large_baskets = "exclude"` without the large ones.

    With "truncate" a large basket is written whole: it counts in n and for its single items, and `encode_baskets`
    keeps its most frequent items.  Excluded baskets count nowhere, as if they belonged to another shop.

    Args:
        io: of the stage.
        grouped: from `baskets.items_per_basket`.
        mine: the levels, and what is large.
    """
    is_large = is_large_basket(mine)
    measures = {
        N_LINES: F.sum(N_LINES),
        LARGE: F.count(F.when(is_large, 1)),
        LARGE_LINES: F.sum(F.when(is_large, F.col(N_LINES))),
    }
    doing = "grouping lines into baskets"
    if mine.large_baskets == "truncate":
        return _seen(io.write("baskets", grouped, doing=doing, measures=measures))
    everyone = _seen(io.write("all_baskets", grouped, doing=doing, measures=measures))
    kept = io.write("baskets", io.read("all_baskets").filter(~is_large), doing="leaving out large baskets")
    return everyone._replace(baskets=kept.rows)


def is_large_basket(mine: MineSettings) -> Column:
    """Of `baskets.items_per_basket`: more items than `mine.max_basket_items` at some level that is mined."""
    return F.greatest(F.lit(0), *(F.size(level) for level in mine.levels)) > mine.max_basket_items


def _seen(written: Written) -> Population:
    lines, large, large_lines = (int(written.measures[key] or 0) for key in (N_LINES, LARGE, LARGE_LINES))
    return Population(written.rows, lines, large, large_lines)
