"""Steps of the stage that write or look: what templates name, how rules drifted."""

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.drift import compared_rules, is_in_both, with_status
from basketlens.mine.templates import Template, unknown_ids
from basketlens.settings_rules import RuleSettings
from basketlens.stage_io import StageIO


def look_for_ids(io: StageIO, sold: DataFrame, template: Template, level: str) -> int:
    """How many ids of the template were not sold.

    Raises:
        SettingsError: none of a setting was.
    """
    if not template.ids:
        return 0
    named = sold.filter(F.col(c.ITEM_ID).isin(*template.ids)).select(c.ITEM_ID).distinct()
    found = io.to_driver(
        named,
        limit=len(template.ids),
        what="items of templates",
        doing=f"looking for items of templates ({level})",
    )
    return len(unknown_ids(template, level, set(found[c.ITEM_ID])))


def write_drift(io: StageIO, mine: RuleSettings, levels: Sequence[str]) -> Mapping[str, int]:
    """Write `rule_drift` after `rules`: empty when there is no earlier table.  Rules by status.

    Levels that are not mined any more are left out: their rules were not looked for.
    """
    after = io.read("rules")
    before = io.earlier("rules", mine.compare_with, setting="mine.compare_with")
    if before is None:
        compared = compared_rules(after, after).limit(0)
    else:
        compared = compared_rules(before.filter(F.col(c.LEVEL).isin(*levels)), after)
    in_both = {"in_both": F.count(F.when(is_in_both(), 1))}
    tests = io.write("compared_rules", compared, doing="comparing with earlier rules", measures=in_both)
    drift = with_status(
        io.read("compared_rules"), tests=int(tests.measures["in_both"] or 0), alpha=mine.drift_alpha
    )
    per_status = {
        status: F.count(F.when(F.col(c.STATUS) == status, 1))
        for status in ("born", "died", "moved", "stable")
    }
    written = io.write("rule_drift", drift, doing="telling which rules moved", measures=per_status)
    return {status: int(written.measures[status] or 0) for status in per_status}
