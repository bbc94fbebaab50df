"""Whether a setting that Java will read can be read by it: checked here, before any Java is started."""

import re
from typing import Final

# Letters that Spark parses times with, and how often each may be repeated.
_TIME_LETTERS: Final = {
    "G": (1, 4), "y": (1, 6), "M": (1, 4), "L": (1, 4), "d": (1, 2), "D": (1, 3), "a": (1, 1), "h": (1, 2),
    "K": (1, 2), "k": (1, 2), "H": (1, 2), "m": (1, 2), "s": (1, 2), "S": (1, 9), "V": (2, 2), "z": (1, 4),
    "O": (1, 4), "X": (1, 5), "x": (1, 5), "Z": (1, 5),
}  # fmt: skip
_ZONE_LETTERS: Final = "VzOXxZ"
_QUOTED: Final = re.compile(r"'[^']*'")
_RUN: Final = re.compile(r"([A-Za-z])\1*")
# Groups and escapes of Python's that Java lacks or reads otherwise, and the reverse.
_NOT_SHARED: Final = {
    r"\(\?(?!:|=|!|i\)|i:|<=|<!)": "groups other than (?:...), (?=...), (?!...), (?<=...), (?<!...) and (?i)",
    r"\\[ZGQEhHRXpPNuUxz0-9]": r"the escapes \Z \G \Q \h \R \p \u \x and back-references",
    r"\{,": "a repetition without its lower end",
    r"\[[^\]]*(?:\[|&&)": "a set within a set",
}


def check_time_pattern(pattern: str) -> None:
    """Refuse a datetime pattern that Spark would stop at, a job later.

    Raises:
        ValueError: what is wrong with it.
    """
    plain = _QUOTED.sub("", pattern)
    if "'" in plain:
        raise ValueError(f"a pattern whose quotes are closed; '{pattern}' has an open one")
    if wrong := sorted(set(plain) & set("#{}")):
        raise ValueError(f"a pattern without {' '.join(wrong)}, which Spark reserves; found '{pattern}'")
    depth = 0
    for sign in plain:
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if depth < 0:
            raise ValueError(f"a pattern in which every ] has its [; found '{pattern}'")
    for run in _RUN.finditer(plain):
        fewest, most = _TIME_LETTERS.get(run[1], (1, 0))
        if not fewest <= len(run[0]) <= most or run[0] in ("OO", "OOO"):
            raise ValueError(
                f"a Spark datetime pattern, such as dd.MM.yyyy HH:mm; '{run[0]}' in '{pattern}' is none of"
                f" {', '.join(_TIME_LETTERS)} in a number that Spark reads"
            )


def has_zone(pattern: str) -> bool:
    """Whether a datetime pattern reads an offset or a zone."""
    return any(letter in _ZONE_LETTERS for letter in _QUOTED.sub("", pattern))


def check_regex(pattern: str) -> None:
    """Refuse a regular expression that is none, or that Python and Java may read differently.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"regular expressions; '{pattern}' is none: {error}") from None
    if not pattern:
        raise ValueError("regular expressions that are not empty: the empty one is found in every name")
    for mark, what in _NOT_SHARED.items():
        if re.search(mark, pattern):
            raise ValueError(
                f"regular expressions without {what}, which not every Java reads; found '{pattern}'"
            )
