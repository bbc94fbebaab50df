"""Keys of `[mine]` that say which itemsets and rules are wanted, and what they are compared with."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from basketlens.settings_base import Section

LEVELS: Final = ("product", "name", "category", "department")
TEMPLATES: Final = ("must_contain", "antecedent_only", "consequent_only", "exclude")


class RuleSettings(Section):
    """The part of `[mine]` that a merchandiser sets; `MineSettings` has the rest."""

    must_contain: list[str]  # item ids, or "level:id"; so the next three
    antecedent_only: list[str]
    consequent_only: list[str]
    exclude: list[str]
    top_rules: Annotated[int, Field(ge=0, le=1_000_000)]  # per level; that many are sorted in one task
    rank_by: Annotated[str, Field(min_length=1)]
    compare_with: str
    drift_alpha: Annotated[float, Field(gt=0, lt=1)]

    def ids_of(self, template: str, level: str, levels: Sequence[str]) -> frozenset[str]:
        """The ids that one of `TEMPLATES` names at a level, of the `levels` that are mined."""
        entries = (located(entry, levels) for entry in getattr(self, template))
        return frozenset(item for at, item in entries if at == level)

    def check_templates(self, levels: Sequence[str]) -> None:
        """Refuse entries that name no mined level, and items that are wanted and unwanted at once.

        Raises:
            ValueError: what is allowed.
        """
        named: dict[str, set[tuple[str, str]]] = {}
        for key in TEMPLATES:
            try:
                named[key] = {located(entry, levels) for entry in getattr(self, key)}
            except ValueError as error:
                raise ValueError(f"in mine.{key} {error}") from None
        for one, other in (
            ("must_contain", "exclude"),
            ("antecedent_only", "exclude"),
            ("consequent_only", "exclude"),
            ("antecedent_only", "consequent_only"),
        ):
            if both := sorted(named[one] & named[other]):
                raise ValueError(f"an item in {one} or in {other}, not in both as {both[0][1]}")


def located(entry: str, levels: Sequence[str]) -> tuple[str, str]:
    """Level and item id of an entry such as `name:5b01...`, or of a plain id where one level is mined.

    What stands before the first colon counts as a level only when it is the name of one.

    Raises:
        ValueError: the level is not mined, or not said where several are.
    """
    before, colon, rest = entry.partition(":")
    if colon and before in LEVELS:
        if before not in levels:
            raise ValueError(
                f"item ids of a mined level ({', '.join(levels)}), not '{entry}'; an id that itself begins with"
                f" '{before}:' is written {levels[0]}:{entry}"
            )
        level, item = before, rest
    elif len(levels) == 1:
        level, item = levels[0], entry
    else:
        raise ValueError(f"level:id where several levels are mined, such as {levels[0]}:{entry}")
    if not item:
        raise ValueError(f"item ids that are not empty, as the one in '{entry}' is")
    return level, item
