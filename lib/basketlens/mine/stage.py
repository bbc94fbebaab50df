"""Stage `mine`: frequent itemsets of every wanted level, and the rules between their parts."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas
from basketlens.mine.baskets import items_per_basket, needs_catalogue
from basketlens.mine.copurchases import write_copurchases
from basketlens.mine.facts import with_facts
from basketlens.mine.holdout import cut_day, mined_baskets
from basketlens.mine.itemsets import decode_itemsets
from basketlens.mine.known import known_baskets
from basketlens.mine.levels import mine_level
from basketlens.mine.limits import Level
from basketlens.mine.population import write_baskets
from basketlens.mine.remeasure import IS_WITHHELD, remeasured
from basketlens.mine.rule_evidence import with_evidence
from basketlens.mine.rule_tables import measured_rules
from basketlens.mine.templates import has_allowed_sides, is_wanted_rule, is_wanted_set, templates_of
from basketlens.mine.top import check_measure, top_rules
from basketlens.mine.wanted import write_drift
from basketlens.settings import Settings
from basketlens.stage_io import StageIO


def run(io: StageIO, settings: Settings) -> None:
    """Read `lines` (and `products` for levels above the product), write `itemsets`, `rules`, `rule_drift` and `copurchases`."""
    mine = settings.mine
    check_measure(mine.rank_by, schemas.rules_with(mine.measures))
    templates = templates_of(mine, mine.levels)
    products = io.read("products") if needs_catalogue(mine.levels) else None
    lines = with_facts(io.read("lines"), stratify=mine.stratify)
    cut = cut_day(io, lines, share=mine.holdout)
    grouped = items_per_basket(lines, products, mine.levels, stratify=mine.stratify)
    population = write_baskets(io, mined_baskets(io, grouped, cut), mine)
    io.log("data_quality", population.quality_rows(mine, run_id=io.run_id))
    n = population.baskets
    min_count = mine.count_for(n)
    known = known_baskets(io, settings, cut)

    parts: list[DataFrame] = []
    figures: dict[str, dict[str, Any]] = {}
    for name in mine.levels:
        sets, figures[name] = mine_level(Level(io, mine, name, min_count, templates[name]))
        frequent = io.read(f"frequent_{name}")
        found = remeasured(io, mine, known, sets, level=name)
        parts.append(decode_itemsets(found, frequent, level=name, baskets=n))

    per_level = rows_per_level(mine.levels)
    every = io.write(
        "all_itemsets",
        reduce(DataFrame.unionByName, parts),
        doing="naming itemsets",
        measures={IS_WITHHELD: F.count_if(IS_WITHHELD)},
    )
    sets = io.read("all_itemsets")
    published = sets.filter(~F.col(IS_WITHHELD) & is_wanted_set(templates))
    itemsets = io.write("itemsets", published, doing="publishing itemsets", measures=per_level)
    items: dict[str, int] = {name: figures[name]["items"] for name in mine.levels}
    tested = measured_rules(io, sets, mine, baskets=n, items=items, is_allowed=has_allowed_sides(templates))
    backed = io.write(
        "backed_rules",
        with_evidence(tested.rules, sets, held_out=known.held_out, per_stratum=known.per_stratum),
        doing="adding customers and revenue to rules",
    )
    wanted = io.read("backed_rules").filter(is_wanted_rule(templates))
    best = top_rules(wanted, mine.levels, n=mine.top_rules, by=mine.rank_by)
    rules = io.write("rules", best, doing="publishing rules", measures=per_level)
    for name in mine.levels:
        figures[name] |= {"itemsets": int(itemsets.measures[name]), "rules": int(rules.measures[name])}
    io.note(
        **population.figures,
        min_count=min_count,
        levels=figures,
        **known.figures(settings),
        withheld={
            "itemsets": int(every.measures[IS_WITHHELD] or 0),
            "rules": tested.confident - backed.rows,
        },
        rule_drift=write_drift(io, mine, mine.levels),
        **write_copurchases(io, settings, entries=population.lines),
    )


def extra(settings: Settings) -> dict[str, str]:
    """What the tables depend on beside `[mine]`, for the fingerprint."""
    ease = (
        {"ease.max_items": str(settings.ease.max_items), "level": settings.report.level}
        if settings.serve.recommendations
        else {}
    )
    return {"privacy.min_customers": str(settings.privacy.min_customers), **ease}


def rows_per_level(levels: Sequence[str]) -> dict[str, Column]:
    """Level -> rows of a table, as measures of its write."""
    return {level: F.count(F.when(F.col(c.LEVEL) == level, 1)) for level in levels}
