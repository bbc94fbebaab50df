"""Other names of the same thing: words replaced, words left out, attributes in another order."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

_PART: Final = ", "  # between attributes; a comma inside a number is none
_BEFORE, _AFTER = r"(?<![\w&'])", r"(?![\w&'])"  # whole words, as `clean` takes them

Words = Mapping[str, tuple[str, ...]]


class NameOptions(NamedTuple):
    """How other names are made."""

    variants: int  # of a name at most
    replaced: float  # 0..1, chance of a word that has other words
    dropped: float  # 0..1, chance of a word
    shuffled: float  # 0..1, chance that the attributes of a variant change places
    words: Words  # what a word, or several, may be replaced by, lower case

    @property
    def is_on(self) -> bool:
        """Whether any name can come out changed."""
        return self.variants > 0 and (self.replaced > 0 or self.dropped > 0 or self.shuffled > 0)


def words_of(abbreviations: Mapping[str, str], synonyms: Mapping[str, str]) -> Words:
    """What each word may be replaced by: abbreviations and their meaning, either way, and synonyms.

    Args:
        abbreviations: word -> meaning; all that mean the same may stand for each other.
        synonyms: word -> others that mean the same, between commas.
    """
    alike: dict[str, set[str]] = {}
    for short, meaning in abbreviations.items():
        alike.setdefault(meaning.lower(), {meaning.lower()}).add(short.lower())
    groups = list(alike.values())
    for word, others in synonyms.items():
        groups.append(
            {word.lower(), *(other.strip().lower() for other in others.split(",") if other.strip())}
        )
    found: dict[str, set[str]] = {}
    for group in groups:
        for word in group:
            found.setdefault(word, set()).update(group - {word})
    return {word: tuple(sorted(others)) for word, others in sorted(found.items()) if others}


def variants_of(name: str, options: NameOptions, *, seed: int) -> list[str]:
    """Up to `options.variants` different names, none of them empty or the name itself.

    They follow from the name and the seed alone, whatever other names there are.
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    draw = np.random.default_rng([seed, number])
    made = [_variant(name, options, draw) for _ in range(options.variants)]
    return [other for other in dict.fromkeys(made) if other != name]


def _variant(name: str, options: NameOptions, draw: np.random.Generator) -> str:
    if options.replaced:
        name = with_replaced_words(name, options.words, options.replaced, draw)
    if options.dropped:
        name = with_dropped_words(name, options.dropped, draw)
    return with_shuffled_parts(name, draw) if draw.random() < options.shuffled else name


def with_replaced_words(name: str, words: Words, chance: float, draw: np.random.Generator) -> str:
    """Replace each word that has others by one of them, with this chance; the longest match first."""
    if not words:
        return name

    def other(found: re.Match[str]) -> str:
        others = words[found[0]]
        return others[int(draw.integers(len(others)))] if draw.random() < chance else found[0]

    return _pattern(frozenset(words)).sub(other, name)


@lru_cache(maxsize=4)
def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(f"{_BEFORE}(?:{'|'.join(map(re.escape, longest_first))}){_AFTER}")


def with_dropped_words(name: str, chance: float, draw: np.random.Generator) -> str:
    """Leave out each word with this chance, and a part that has none left; one word always stays."""
    parts = [part.split() for part in name.split(_PART)]
    count = sum(map(len, parts))
    if not count:
        return name
    stays = draw.random(count) >= chance
    if not stays.any():
        stays[draw.integers(count)] = True
    is_kept = iter(stays)
    kept = [" ".join(word for word in part if next(is_kept)) for part in parts]
    return _PART.join(part for part in kept if part)


def with_shuffled_parts(name: str, draw: np.random.Generator) -> str:
    """The parts between commas in another order, all equally likely."""
    parts = name.split(_PART)
    return _PART.join(parts[i] for i in draw.permutation(len(parts)))
