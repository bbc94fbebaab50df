"""Which other items an item attends to, by `link.mask`."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from basketlens import columns as c


class Mask(NamedTuple):
    """A rule by groups of items.  An unknown group equals no group, not even another unknown one."""

    column: str | None  # of `items`, whose values are the groups
    within: bool | None  # True: its own group alone; False: all but its own group; None: all items


MASKS: Final[Mapping[str, Mask]] = {
    "all": Mask(None, None),
    "same_department": Mask(c.DEPARTMENT, True),
    "other_category": Mask(c.CATEGORY, False),
}
