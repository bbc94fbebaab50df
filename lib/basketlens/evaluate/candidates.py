"""The form of a method: a name, its parameters, and scores for a block of queries."""

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

from basketlens.evaluate.known import Floats
from basketlens.evaluate.tasks import Queries


class Block:
    """Some queries; scores that several methods build on are computed once and then shared, never changed."""

    def __init__(self, queries: Queries) -> None:
        self.queries = queries
        self._parts: dict[Hashable, Floats] = {}

    def part(self, name: Hashable, compute: Callable[[Queries], Floats]) -> Floats:
        """Scores (b, n) known by this name, computed when they are first asked for."""
        if name not in self._parts:
            self._parts[name] = compute(self.queries)
        return self._parts[name]


class Candidate(NamedTuple):
    """A method with all its parameters fixed."""

    method: str
    parameters: Mapping[str, float]
    score: Callable[[Block], Floats]  # (b, n), finite, larger is better; must not write into a shared part
