"""Stage `mine`: frequent itemsets of every wanted level, and the rules between their parts."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.baskets import items_per_basket, needs_catalogue
from basketlens.mine.itemsets import decode_itemsets, with_flags
from basketlens.mine.levels import mine_level
from basketlens.mine.limits import Level
from basketlens.mine.population import write_baskets
from basketlens.mine.rules import confident_rules, with_is_redundant, with_measures
from basketlens.settings import Settings
from basketlens.stage_io import StageIO


def run(io: StageIO, settings: Settings) -> None:
    """Read `lines` (and `products` for levels above the product), write `itemsets` and `rules`."""
    mine = settings.mine
    products = io.read("products") if needs_catalogue(mine.levels) else None
    grouped = items_per_basket(io.read("lines"), products, mine.levels)
    population = write_baskets(io, grouped, mine)
    io.log("data_quality", population.quality_rows(mine, run_id=io.run_id))
    n = population.baskets
    min_count = mine.count_for(n)

    parts: list[DataFrame] = []
    figures: dict[str, dict[str, Any]] = {}
    for name in mine.levels:
        sets, figures[name] = mine_level(Level(io, mine, name, min_count))
        frequent = io.read(f"frequent_{name}")
        parts.append(decode_itemsets(with_flags(sets), frequent, level=name, baskets=n))

    per_level = rows_per_level(mine.levels)
    itemsets = io.write(
        "itemsets", reduce(DataFrame.unionByName, parts), doing="naming itemsets", measures=per_level
    )
    confident = confident_rules(io.read("itemsets"), baskets=n, min_confidence=mine.min_confidence)
    io.write("confident_rules", confident, doing="splitting itemsets into rules")
    measured = with_measures(with_is_redundant(io.read("confident_rules")))
    rules = io.write("rules", measured, doing="marking redundant rules", measures=per_level)
    for name in mine.levels:
        figures[name] |= {"itemsets": int(itemsets.measures[name]), "rules": int(rules.measures[name])}
    io.note(**population.figures, min_count=min_count, levels=figures)


def rows_per_level(levels: Sequence[str]) -> dict[str, Column]:
    """Level -> rows of a table, as measures of its write."""
    return {level: F.count(F.when(F.col(c.LEVEL) == level, 1)) for level in levels}
