"""From itemsets to the rows of `rules`, step by step, each step in a scratch table of its own."""

from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.measures import P_BELOW, QUANTILE_99, with_measures
from basketlens.mine.multiple import parts_for, possible_rules, with_adjusted, with_part
from basketlens.mine.redundancy import with_best_below, with_redundancy
from basketlens.mine.rules import all_splits, is_confident
from basketlens.mine.significance import with_fisher, with_lift_interval, with_p_values
from basketlens.settings_mine import MineSettings
from basketlens.stage_io import StageIO


class Tested(NamedTuple):
    """What `measured_rules` found."""

    rules: DataFrame
    confident: int  # how many they are


def measured_rules(
    io: StageIO,
    itemsets: DataFrame,
    mine: MineSettings,
    *,
    baskets: int,
    items: Mapping[str, int],
    is_allowed: Column,
) -> Tested:
    """The rules that are confident enough, with what four counts say of them.

    Args:
        io: for scratch tables.
        itemsets: level, items, size, count.
        mine: the settings.
        baskets: in all.
        items: frequent items of each level.
        is_allowed: which sides a rule may have; of a rule that it allows it must allow all shorter ones.
    """
    splits = all_splits(itemsets, baskets=baskets, max_consequent=mine.max_consequent).filter(is_allowed)
    longest = {"longest": F.max(F.size(c.ANTECEDENT))}
    written = io.write("splits", splits, doing="splitting itemsets into rules", measures=longest)
    compared = compared_rules(io, longest=int(written.measures["longest"] or 1))
    confident = compared.filter(is_confident(mine.min_confidence))
    tested = with_part(with_fisher(confident, mine.measures), parts=parts_for(written.rows))
    confident_rows = io.write("tested_rules", tested, doing="testing rules against chance").rows
    searched = {
        (level, size): possible_rules(count, size=size, max_consequent=mine.max_consequent)
        for level, count in items.items()
        for size in range(2, mine.max_size + 1)
    }
    adjusted = with_p_values(with_adjusted(io.read("tested_rules"), searched))
    measured = with_measures(with_redundancy(adjusted), mine.measures).drop(P_BELOW, QUANTILE_99)
    return Tested(with_lift_interval(measured), confident_rows)


def compared_rules(io: StageIO, *, longest: int) -> DataFrame:
    """The rules of scratch `splits` with the best confidence of their generalisations, one antecedent size after the other."""
    splits = io.read("splits")
    compared: list[DataFrame] = []
    for size in range(1, longest + 1):
        shorter = compared[-1] if compared else None
        found = with_best_below(splits, shorter, size=size)
        io.write(f"compared_{size}", found, doing=f"comparing rules with shorter ones ({size} of {longest})")
        compared.append(io.read(f"compared_{size}"))
    return reduce(DataFrame.unionByName, compared)
