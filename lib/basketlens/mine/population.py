"""The baskets that are counted, and what happens to those that are too large to be somebody's shopping."""

from typing import Any, Final, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens.mine.baskets import N_LINES
from basketlens.settings import MineSettings
from basketlens.stage_io import StageIO, Written

_LARGE: Final = "large_baskets"
_LARGE_LINES: Final = "large_basket_lines"


class Population(NamedTuple):
    """What the stage counts."""

    baskets: int  # n of every support
    lines: int  # read, with those of excluded baskets
    large_baskets: int  # more than `mine.max_basket_items` items at some level that is mined
    large_basket_lines: int

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
    is_large = F.greatest(F.lit(0), *(F.size(level) for level in mine.levels)) > mine.max_basket_items
    measures = {
        N_LINES: F.sum(N_LINES),
        _LARGE: F.count(F.when(is_large, 1)),
        _LARGE_LINES: F.sum(F.when(is_large, F.col(N_LINES))),
    }
    doing = "grouping lines into baskets"
    if mine.large_baskets == "truncate":
        return _seen(io.write("baskets", grouped, doing=doing, measures=measures))
    everyone = _seen(io.write("all_baskets", grouped, doing=doing, measures=measures))
    kept = io.write("baskets", io.read("all_baskets").filter(~is_large), doing="leaving out large baskets")
    return everyone._replace(baskets=kept.rows)


def _seen(written: Written) -> Population:
    lines, large, large_lines = (int(written.measures[key] or 0) for key in (N_LINES, _LARGE, _LARGE_LINES))
    return Population(written.rows, lines, large, large_lines)
