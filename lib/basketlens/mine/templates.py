"""Templates: which items may, must or must not be in itemsets and rules, applied before mining where that saves work."""

import logging
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import SettingsError
from basketlens.mine.containment import INDEX, PART, with_held_sets
from basketlens.mine.frequent import CODE
from basketlens.settings_rules import TEMPLATES, RuleSettings

log = logging.getLogger(__name__)

_LARGER: Final = 3  # items: the size from which baskets are cut to those with a wanted item
_SUBSETS: Final = "transform(sequence(1, shiftleft(1, size(part)) - 1), mask -> filter(part, (item, i) -> getbit(mask, i) = 1))"


class Template(NamedTuple):
    """The item ids of one level; an empty `must_contain` asks for nothing."""

    must_contain: frozenset[str] = frozenset()
    antecedent_only: frozenset[str] = frozenset()
    consequent_only: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    @property
    def ids(self) -> list[str]:
        """All that are named, ascending."""
        return sorted(frozenset().union(*self))


def templates_of(mine: RuleSettings, levels: Collection[str]) -> dict[str, Template]:
    """Level -> its template."""
    every = tuple(levels)
    return {level: Template(*(mine.ids_of(name, level, every) for name in TEMPLATES)) for level in every}


def unknown_ids(template: Template, level: str, sold: Collection[str]) -> list[str]:
    """Named ids that were not sold, ascending; one is worth a warning, for an assortment changes.

    Args:
        template: of the level.
        level: for the message.
        sold: those of `template.ids` that some basket holds.

    Raises:
        SettingsError: a setting names no item that was sold: other ids were meant, or another level.
    """
    for name, ids in template._asdict().items():
        if ids and ids.isdisjoint(sold):
            raise SettingsError(
                f"mine.{name} names no {level} that was sold.\n  Found: {', '.join(sorted(ids)[:5])}\n"
                f"  Wanted: ids as in items.item_id at level {level}"
                + (", which are hashes of names" if level == "name" else "")
            )
    unknown = sorted(set(template.ids) - set(sold))
    if unknown:
        log.warning(
            "Templates name %d ids of level %s that were not sold: %s", len(unknown), level, unknown[:5]
        )
    return unknown


def coded_ids(singles: pd.DataFrame, ids: Collection[str]) -> frozenset[int]:
    """Codes of those `ids` that are frequent; `singles` has item_id and code."""
    return frozenset(singles[CODE][singles[c.ITEM_ID].isin(list(ids))].tolist())


def without_excluded(sold: DataFrame, template: Template) -> DataFrame:
    """`sold` (basket, item_id) without what is excluded: it is neither counted nor mined."""
    return sold.filter(~F.col(c.ITEM_ID).isin(*template.exclude)) if template.exclude else sold


def has_any(items: Column | str, wanted: Collection[str] | Collection[int]) -> Column:
    """Whether an array holds one of some items."""
    return F.exists(items, lambda item: item.isin(*wanted)) if wanted else F.lit(False)


def with_sides(sets: DataFrame, baskets: DataFrame, frequent: DataFrame, codes: Collection[int]) -> DataFrame:
    """Itemsets that hold a wanted item, and with exact counts the sets without one that their rules are measured by.

    From three items on only baskets with a wanted item were mined, so other sets found there have counts of these
    baskets alone and are dropped.  Those that lie inside a wanted set are counted again, over all baskets.

    Args:
        sets: items array<int> ascending, count long: all single items and pairs; of larger sets those that are
            frequent in the baskets with a wanted item.
        baskets: items array<int>, all of two frequent items and more.
        frequent: code, count.
        codes: of the wanted items.

    Returns:
        items, count: single items and pairs all, and complete downward from every wanted set.
    """
    is_wanted = has_any(c.ITEMS, codes)
    kept = sets.filter((F.size(c.ITEMS) < _LARGER) | is_wanted)
    rest = kept.filter(F.size(c.ITEMS) > _LARGER).select(
        F.filter(c.ITEMS, lambda item: ~item.isin(*codes)).alias(PART)
    )
    # Of these most occur in many wanted sets: they are counted once.
    parts = (
        rest.distinct()
        .select(F.explode(F.expr(_SUBSETS)).alias(PART))
        .filter(F.size(PART) >= _LARGER)
        .distinct()
    )
    counted = with_held_sets(baskets.select(c.ITEMS), with_index(parts, frequent)).groupBy(PART)
    sides = counted.agg(F.count("*").alias(c.COUNT)).select(F.col(PART).alias(c.ITEMS), c.COUNT)
    return kept.unionByName(sides)


def with_index(parts: DataFrame, frequent: DataFrame) -> DataFrame:
    """Add to each `part` its rarest item, of equally rare ones the lower code."""
    counted = parts.select(PART, F.explode(PART).alias(CODE)).join(frequent.select(CODE, c.COUNT), CODE)
    return counted.groupBy(PART).agg(F.min(F.struct(c.COUNT, CODE))[CODE].alias(INDEX))


def is_wanted_set(templates: Mapping[str, Template]) -> Column:
    """Of `itemsets`: it holds an item that its level must contain; single items are all wanted, as the base of rates."""
    return (F.col(c.SIZE) == 1) | _per_level(templates, c.ITEMS)


def is_wanted_rule(templates: Mapping[str, Template]) -> Column:
    """Of `rules`: one side holds an item that its level must contain.

    Filter after redundancy is marked: what makes a rule redundant may hold no such item.
    """
    return _per_level(templates, F.concat(c.ANTECEDENT, c.CONSEQUENT))


def has_allowed_sides(templates: Mapping[str, Template]) -> Column:
    """Of `rules`: no item stands on a side that is closed to it.

    It asks for the sides alone, so Spark applies it to the splits of itemsets, before these are joined with
    counts.  It can come before redundancy is marked: smaller antecedents of a rule that stays stay too.
    """
    allowed = F.lit(True)
    for level, template in templates.items():
        wrong = has_any(c.ANTECEDENT, template.consequent_only) | has_any(
            c.CONSEQUENT, template.antecedent_only
        )
        allowed &= (F.col(c.LEVEL) != level) | ~wrong
    return allowed


def _per_level(templates: Mapping[str, Template], items: Column | str) -> Column:
    wanted = F.lit(True)
    for level, template in templates.items():
        if template.must_contain:
            wanted &= (F.col(c.LEVEL) != level) | has_any(items, template.must_contain)
    return wanted
