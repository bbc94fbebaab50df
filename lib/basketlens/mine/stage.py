"""Stage `mine`: frequent itemsets of every wanted level, and the rules between their parts."""

from collections.abc import Collection, Sequence
from functools import reduce
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import schemas
from basketlens.mine.baskets import N_LINES, encode_baskets, items_per_basket, needs_catalogue, sold_items
from basketlens.mine.candidates import pair_keys
from basketlens.mine.facts import with_facts
from basketlens.mine.frequent import frequent_items
from basketlens.mine.growth import growth_partitions, larger_itemsets
from basketlens.mine.holdout import cut_day, mined_baskets
from basketlens.mine.itemsets import coded_itemsets, decode_itemsets
from basketlens.mine.known import known_baskets
from basketlens.mine.pairs import A, B, count_pairs, is_one_block, local_pairs, partitions_for
from basketlens.mine.prune import prune_baskets
from basketlens.mine.remeasure import IS_WITHHELD, remeasured
from basketlens.mine.rule_evidence import with_evidence
from basketlens.mine.rule_tables import measured_rules
from basketlens.mine.templates import (
    Template,
    has_allowed_sides,
    has_any,
    is_wanted_rule,
    is_wanted_set,
    templates_of,
    with_sides,
    without_excluded,
)
from basketlens.mine.top import check_measure, top_rules
from basketlens.mine.wanted import look_for_ids, wanted_codes, write_drift
from basketlens.settings import Settings
from basketlens.settings_mine import MineSettings
from basketlens.stage_io import StageIO

PAIR: Final = 2  # items


class Level(NamedTuple):
    """One level's mining: what every step of it needs to know."""

    io: StageIO
    mine: MineSettings
    name: str
    min_count: int
    template: Template

    def scratch(self, table: str) -> str:
        """A table of this stage and level alone."""
        return f"{table}_{self.name}"


def run(io: StageIO, settings: Settings) -> None:
    """Read `lines` (and `products` for levels above the product), write `itemsets`, `rules` and `rule_drift`."""
    mine = settings.mine
    check_measure(mine.rank_by, schemas.rules_with(mine.measures))
    templates = templates_of(mine, mine.levels)
    products = io.read("products") if needs_catalogue(mine.levels) else None
    lines = with_facts(io.read("lines"), stratify=mine.stratify)
    cut = cut_day(io, lines, share=mine.holdout)
    grouped = items_per_basket(lines, products, mine.levels, stratify=mine.stratify)
    baskets = io.write(
        "baskets",
        mined_baskets(io, grouped, cut),
        doing="grouping lines into baskets",
        measures={N_LINES: F.sum(N_LINES)},
    )
    n = baskets.rows
    min_count = mine.count_for(n)
    known = known_baskets(io, settings, cut)

    parts: list[DataFrame] = []
    figures: dict[str, dict[str, int]] = {}
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
    io.note(rows_in=int(baskets.measures[N_LINES] or 0), baskets=n, min_count=min_count, levels=figures)
    io.note(
        **known.figures(settings),
        withheld={
            "itemsets": int(every.measures[IS_WITHHELD] or 0),
            "rules": tested.confident - backed.rows,
        },
        rule_drift=write_drift(io, mine, mine.levels),
    )


def extra(settings: Settings) -> dict[str, str]:
    """What the tables depend on beside `[mine]`, for the fingerprint."""
    return {"privacy.min_customers": str(settings.privacy.min_customers)}


def mine_level(level: Level) -> tuple[DataFrame, dict[str, int]]:
    """Coded itemsets of all sizes, and how many rows each step left."""
    io, name = level.io, level.name
    sold = sold_items(io.read("baskets"), name)
    unknown = look_for_ids(io, sold, level.template, name)
    sold = without_excluded(sold, level.template)
    frequent = io.write(
        level.scratch("frequent"),
        frequent_items(sold, min_count=level.min_count),
        doing=f"counting single items ({name})",
        measures={"entries": F.sum(c.COUNT)},
    )
    items, n_items = io.read(level.scratch("frequent")), frequent.rows
    pairs = mine_pairs(level, n_items=n_items, entries=int(frequent.measures["entries"] or 0))
    figures = {"items": n_items, "pairs": pairs, "larger": 0, "pruned_baskets": 0}
    if unknown:
        figures["unknown_ids"] = unknown
    if not pairs:
        return coded_itemsets(items, None, None), figures
    codes = wanted_codes(io, items, level.template, name)
    is_needed = level.mine.max_size > PAIR and bool(codes or not level.template.must_contain)
    larger = mine_larger(level, codes, n_items=n_items, figures=figures) if is_needed else None
    sets = coded_itemsets(items, io.read(level.scratch("pairs")), larger)
    if codes and larger is not None:
        sets = with_sides(sets, io.read(level.scratch("coded")), items, codes)
    return sets, figures


def mine_pairs(level: Level, *, n_items: int, entries: int) -> int:
    """Write scratch `coded` and `pairs`, unless it is plain that there is no pair; how many there are."""
    io, name = level.io, level.name
    if n_items < PAIR:
        return 0
    partitions = partitions_for(entries, cores=io.cores, wanted=level.mine.partitions)
    sold = sold_items(io.read("baskets"), name)
    encoded = encode_baskets(sold, io.read(level.scratch("frequent")), partitions=partitions)
    rows = io.write(level.scratch("coded"), encoded, doing=f"encoding baskets ({name})").rows
    if rows < level.min_count:
        return 0
    coded = io.read(level.scratch("coded")).coalesce(partitions)
    pairs = local_pairs(coded, rows=rows, n_items=n_items, min_count=level.min_count)
    if not is_one_block(entries, partitions):
        io.write(level.scratch("local_pairs"), pairs, doing=f"finding candidate pairs ({name})")
        candidates = io.read(level.scratch("local_pairs")).select(A, B).distinct()
        keys = keys_on_driver(level, candidates, n_items=n_items)
        if not len(keys):
            return 0
        pairs = count_pairs(coded, keys, n_items=n_items, min_count=level.min_count)
    return io.write(level.scratch("pairs"), pairs, doing=f"counting pairs ({name})").rows


def mine_larger(
    level: Level, codes: Collection[int], *, n_items: int, figures: dict[str, int]
) -> DataFrame | None:
    """Itemsets of size 3 and more, written once; None when too few baskets can hold one.

    Where `codes` names wanted items only baskets with one of them are mined: see `templates.with_sides`.
    """
    io, name = level.io, level.name
    keys = keys_on_driver(level, io.read(level.scratch("pairs")).select(A, B), n_items=n_items)
    coded = io.read(level.scratch("coded"))
    if codes:
        coded = coded.filter(has_any(c.ITEMS, codes))
    pruned = io.write(
        level.scratch("pruned"),
        prune_baskets(coded, keys, n_items=n_items),
        doing=f"pruning baskets ({name})",
        measures={"entries": F.sum(F.size(c.ITEMS))},
    )
    figures["pruned_baskets"] = pruned.rows
    if pruned.rows < level.min_count:
        return None
    found = larger_itemsets(
        io.read(level.scratch("pruned")),
        rows=pruned.rows,
        min_count=level.min_count,
        max_size=level.mine.max_size,
        partitions=growth_partitions(int(pruned.measures["entries"]), cores=io.cores),
    )
    figures["larger"] = io.write(
        level.scratch("larger"), found, doing=f"growing larger itemsets ({name})"
    ).rows
    return io.read(level.scratch("larger"))


def keys_on_driver(level: Level, pairs: DataFrame, *, n_items: int) -> NDArray[np.int64]:
    """Distinct pairs as ascending keys of 8 bytes, at most `mine.max_pairs`, for the workers' closures."""
    frame = level.io.to_driver(
        pairs,
        limit=level.mine.max_pairs,
        what=f"pairs to hold at level {level.name} (raise mine.min_support or mine.min_count, or mine.max_pairs)",
        doing=f"collecting pairs ({level.name})",
    )
    return pair_keys(frame[A].to_numpy(), frame[B].to_numpy(), n_items=n_items)


def rows_per_level(levels: Sequence[str]) -> dict[str, Column]:
    """Level -> rows of a table, as measures of its write."""
    return {level: F.count(F.when(F.col(c.LEVEL) == level, 1)) for level in levels}
