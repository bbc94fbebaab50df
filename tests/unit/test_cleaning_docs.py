"""docs/cleaning.md has a row for every reason, and for no other."""

import re
from pathlib import Path

from basketlens import reasons

PAGE = Path(__file__).parents[2] / "docs" / "cleaning.md"


def test_every_reason_is_explained():
    explained = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), flags=re.MULTILINE)
    assert sorted(explained) == sorted(reasons.ALL)
