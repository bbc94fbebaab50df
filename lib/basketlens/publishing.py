"""Putting staged folders in place by a redo log: once the journal is written, every kill is rolled forward.

Each step can be done again: it looks at what is there, and does what is left.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from basketlens.adapter import FileSystem

STAGING: Final = ".staging"
_JOURNALS: Final = ".publishing"


class Move(NamedTuple):
    """A folder that takes the place of another; both below the root."""

    target: str
    staged: str | None  # None: the target goes, and nothing comes


class Publisher:
    """Writes, finishes and finds the journals of one root."""

    def __init__(self, files: FileSystem, root: str) -> None:
        self._files, self._root = files, root

    def publish(self, run_id: str, moves: Sequence[Move], texts: Mapping[str, str]) -> None:
        """Make the moves and write the small files `texts` (path below the root -> text), then remove the staging.

        All staged folders must be complete.  A kill before the journal is written changes nothing; after a later
        one, `recover` does the rest.
        """
        journal = {"moves": [move._asdict() for move in moves], "texts": dict(texts)}
        self._files.write_text(self._journal(run_id), json.dumps(journal, indent=1) + "\n")
        self._finish(run_id)

    def recover(self) -> None:
        """Finish what killed runs had begun to publish."""
        for name in self._files.list(f"{self._root}/{_JOURNALS}"):
            run_id, dot, kind = name.rpartition(".")
            if not name.startswith(".") and dot and kind == "json":
                self._finish(run_id)

    def is_unfinished(self, run_id: str) -> bool:
        """Whether a journal still needs what this run has staged."""
        return self._files.exists(self._journal(run_id))

    def _journal(self, run_id: str) -> str:
        return f"{self._root}/{_JOURNALS}/{run_id}.json"

    def _finish(self, run_id: str) -> None:
        journal = json.loads(self._files.read_text(self._journal(run_id)))
        aside = f"{self._root}/{_JOURNALS}/{run_id}.old"
        for number, move in enumerate(journal["moves"]):
            self._replace(Move(**move), f"{aside}/{number}")
        for path, text in journal["texts"].items():
            self._files.write_text(f"{self._root}/{path}", text)
        self._files.remove(aside)
        self._files.remove(f"{self._root}/{STAGING}/{run_id}")
        self._files.remove(self._journal(run_id))  # last: what it names is gone or in place

    def _replace(self, move: Move, aside: str) -> None:
        """Rename the old folder away and the new one in, so that readers miss it for two renames and no longer."""
        target = f"{self._root}/{move.target}"
        staged = f"{self._root}/{move.staged}" if move.staged else None
        if staged and not self._files.exists(staged):
            return  # moved in before the kill
        if self._files.exists(target):
            self._files.remove(aside)
            self._files.move(target, aside)
        if staged:
            self._files.move(staged, target)
