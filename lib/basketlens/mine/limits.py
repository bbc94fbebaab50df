"""What a level may cost, and what to say when it would cost more."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import LimitError
from basketlens.mine.expected_pairs import count_that_fits, expected_pairs
from basketlens.mine.frequent import CODE
from basketlens.mine.guard import Foreseen, foreseen, prefix_share, sampled_itemsets
from basketlens.mine.probing import ladder
from basketlens.mine.templates import Template
from basketlens.settings_mine import MineSettings
from basketlens.stage_io import StageIO, Written

_NAMED: Final = 3  # baskets and items that a message names
_RUNGS: Final = 16  # higher counts that are tried: a quarter more each, so up to 28 times the first


class Level(NamedTuple):
    """One level's mining: what every step of it needs to know."""

    io: StageIO
    mine: MineSettings
    name: str
    min_count: int
    template: Template = Template()

    def scratch(self, table: str) -> str:
        """A table of this stage and level alone."""
        return f"{table}_{self.name}"


class Work(NamedTuple):
    """How large coded baskets are together."""

    entries: int  # items
    cells: int  # pairs of items

    @classmethod
    def of(cls, written: Written) -> "Work":
        """From a write with `levels.basket_moments`."""
        return cls(int(written.measures["entries"] or 0), int(written.measures["cells"] or 0))


class TooManyPairs(LimitError):
    """More pairs than `mine.max_pairs`, foreseen or found; with `mine.over_limit = "raise"` the level is mined again.

    Args:
        message: for the user, when it is not.
        next_count: baskets, above the count that was too low: what to try next.
    """

    def __init__(self, message: str, *, next_count: int) -> None:
        super().__init__(message)
        self.next_count = next_count


def check_expected_pairs(level: Level, singles: pd.DataFrame, *, cells: int, figures: dict[str, Any]) -> None:
    """Add `expected_pairs` to the figures, unless a lower count has done so.

    Args:
        level: as asked for.
        singles: item_id, count, code of the frequent items, by code.
        cells: pairs of items within the coded baskets.
        figures: of the level.

    Raises:
        TooManyPairs: more than `mine.max_pairs` are expected.
    """
    counts, limit = singles[c.COUNT].to_numpy(), level.mine.max_pairs
    expected = expected_pairs(counts, cells=cells, min_count=level.min_count)
    figures.setdefault("expected_pairs", expected)
    if expected <= limit:
        return
    fits = count_that_fits(counts, cells=cells, limit=limit)
    left = expected_pairs(counts, cells=cells, min_count=fits)
    raise TooManyPairs(
        f"About {expected:,} pairs would be found at level {level.name} with min_count {level.min_count} if items had nothing"
        f" to do with each other; mine.max_pairs is {limit:,}.\n"
        + _largest(level, singles)
        + f"  Next: with mine.min_count={fits} about {left:,} pairs are expected;"
        ' mine.over_limit="raise" does that by itself, or raise mine.max_pairs',
        next_count=fits,
    )


def allowed_count(
    level: Level,
    singles: pd.DataFrame,
    pair_counts: pd.Series,
    pruned: DataFrame,
    work: Work,
    figures: dict[str, Any],
) -> int:
    """The count to mine with: the level's own, or with `mine.over_limit = "raise"` the least that was tried and fits.

    Adds `expected_itemsets` to the figures.

    Args:
        level: as asked for.
        singles: item_id, count, code of the frequent items, by code.
        pair_counts: of the frequent pairs.
        pruned: baskets, items array<int>.
        work: of the pruned baskets.
        figures: of the level.

    Raises:
        LimitError: more itemsets than `mine.max_itemsets` are expected, and the support may not be raised.
    """
    limit = level.mine.max_itemsets
    [expected] = expectations(level, singles, pair_counts, pruned, work, [level.min_count])
    figures["expected_itemsets"] = round(expected.itemsets)
    if expected.itemsets <= limit:
        return level.min_count
    fits, count = None, level.min_count
    counts = ladder(level.min_count, steps=_RUNGS + 1)[1:]
    for count in counts:  # one after another: the low ones cost most, and few are needed
        [higher] = expectations(level, singles, pair_counts, pruned, work, [count])
        if higher.itemsets <= limit:
            fits = (count, higher) if higher.itemsets else None
            break
    if fits and level.mine.over_limit == "raise":
        return fits[0]
    raise too_many_itemsets(level, singles, expected, fits, tried=count)


def too_many_itemsets(
    level: Level, singles: pd.DataFrame, expected: Foreseen, fits: tuple[int, Foreseen] | None, *, tried: int
) -> LimitError:
    """The error for more than `mine.max_itemsets`, with the support that fits, if one of those tried does."""
    is_bitmap = level.mine.engine == "bitmap"
    sizes = f"of up to {level.mine.max_size} items" if is_bitmap else "of any size"
    said = (
        f"About {expected.itemsets:,.0f} itemsets {sizes} would be found at level {level.name} with"
        f" min_count {level.min_count}; mine.max_itemsets is {level.mine.max_itemsets:,}.\n"
        f"  Most of them hold one of: {_named(singles, expected.richest)}\n" + _largest(level, singles)
    )
    if fits:
        said += (
            f"  Next: mine.min_count={fits[0]} would fit (about {fits[1].itemsets:,.0f} itemsets);"
            ' mine.over_limit="raise" does that by itself'
        )
    else:
        said += f"  Next: no mine.min_count up to {tried:,} would fit and find anything; look at these items and baskets"
    other = "" if is_bitmap else ' (with mine.engine="bitmap", which stops at mine.max_size)'
    return LimitError(f"{said}, or raise mine.max_itemsets{other}")


def expectations(
    level: Level,
    singles: pd.DataFrame,
    pair_counts: pd.Series,
    pruned: DataFrame,
    work: Work,
    counts: Sequence[int],
) -> list[Foreseen]:
    """What would be found at each of the counts, none below the level's own."""
    n_items = len(singles)
    rows = sampled_itemsets(
        pruned, n_items=n_items, counts=tuple(counts), max_size=_searched(level), cells=work.cells,
        entries=work.entries, cores=level.io.cores,
    )  # fmt: skip
    found = level.io.to_driver(
        rows, limit=n_items * len(counts), what="estimates", doing=f"estimating itemsets ({level.name})"
    )
    share = prefix_share(work.cells)
    return [
        foreseen(
            found,
            rung=rung,
            smaller=int((singles[c.COUNT] >= count).sum()) + int((pair_counts >= count).sum()),
            share=share,
        )
        for rung, count in enumerate(counts)
    ]


def too_many_pairs(level: Level, what: str, *, rows: int, cells: int, singles: pd.DataFrame) -> TooManyPairs:
    """The error for more than `mine.max_pairs` pairs, with a count that is sure to fit.

    A frequent pair takes `min_count` of the `cells`, so there are at most cells / min_count of them.  That count is
    mostly far too high.  What is tried next is higher by as much as the `rows` are too many, and by a quarter at least.
    """
    limit = level.mine.max_pairs
    return TooManyPairs(
        f"More than {limit:,} {what} at level {level.name} with min_count {level.min_count}; mine.max_pairs is {limit:,}.\n"
        + _largest(level, singles)
        + f"  Next: raise mine.min_support or mine.min_count (at {cells // limit + 1:,} all pairs are sure to fit;"
        ' mine.over_limit="raise" raises it step by step until they do), or mine.max_pairs',
        next_count=max(ladder(level.min_count, steps=2)[1], -(-level.min_count * rows // limit)),
    )


def _searched(level: Level) -> int:
    """Items of the largest sets that the engine looks at: MLlib finds all sizes, and drops the larger ones after."""
    return level.mine.max_size if level.mine.engine == "bitmap" else level.mine.max_basket_items


def _largest(level: Level, singles: pd.DataFrame) -> str:
    """Two lines that name the largest baskets and the most frequent items."""
    size = F.size(level.name).alias(c.SIZE)
    rows = level.io.read("baskets").select(c.BASKET_ID, size).orderBy(F.col(c.SIZE).desc(), c.BASKET_ID)
    frame = level.io.to_driver(
        rows.limit(_NAMED), limit=_NAMED, what="baskets", doing=f"finding the largest baskets ({level.name})"
    )
    baskets = ", ".join(
        f"{basket} ({items:,} items)" for basket, items in zip(frame[c.BASKET_ID], frame[c.SIZE], strict=True)
    )
    frequent = _named(singles, singles[CODE].tail(_NAMED)[::-1].tolist())
    return f"  Largest baskets: {baskets}\n  Most frequent items: {frequent}\n"


def _named(singles: pd.DataFrame, codes: Sequence[int]) -> str:
    """Item ids of codes, with their counts."""
    chosen = singles.iloc[list(codes)]
    return ", ".join(
        f"{item} ({count:,} baskets)" for item, count in zip(chosen[c.ITEM_ID], chosen[c.COUNT], strict=True)
    )
