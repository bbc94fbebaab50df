"""What people see while a job runs: a live table on a terminal, one plain line per stage elsewhere."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text


class Progress(Protocol):
    """Told by the runner what happens; never asked."""

    def start(self, stages: tuple[str, ...]) -> None:
        """These will run, in this order."""

    def running(self, stage: str, doing: str) -> None:
        """The stage is doing this now."""

    def ended(self, stage: str, status: str, rows: Mapping[str, int], seconds: float) -> None:
        """The stage is over: done, skipped or failed."""

    def stop(self) -> None:
        """Nothing more will come."""


def rows_in_words(rows: Mapping[str, int]) -> str:
    """`lines 1,234, rejects 5`."""
    return ", ".join(f"{name} {count:,}" for name, count in rows.items())


class PlainProgress:
    """One line per stage, for logs and schedulers."""

    def start(self, stages: tuple[str, ...]) -> None:
        """Nothing: a log needs no table head."""

    def running(self, stage: str, doing: str) -> None:
        """Nothing: one line per stage, when it ends."""

    def ended(self, stage: str, status: str, rows: Mapping[str, int], seconds: float) -> None:
        """Say what came out."""
        sys.stdout.write(f"{stage:<8} {status:<8} {seconds:7.1f} s  {rows_in_words(rows)}\n")
        sys.stdout.flush()

    def stop(self) -> None:
        """Nothing to put away."""


class LiveProgress:
    """A table that redraws itself: stage, state, rows, seconds and what is running."""

    def __init__(self, console: Console) -> None:
        self._state: dict[
            str, tuple[str, str, float]
        ] = {}  # stage -> state, rows or what is running, seconds
        self._began: dict[str, float] = {}
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=False)

    def start(self, stages: tuple[str, ...]) -> None:
        """Show every stage as waiting."""
        self._state = {stage: ("waiting", "", 0.0) for stage in stages}
        self._live.start()

    def running(self, stage: str, doing: str) -> None:
        """Show `doing` beside the stage; the clock counts on."""
        self._began.setdefault(stage, time.monotonic())
        self._state[stage] = ("running", doing, 0.0)

    def ended(self, stage: str, status: str, rows: Mapping[str, int], seconds: float) -> None:
        """Show the stage's result."""
        self._state[stage] = (status, rows_in_words(rows), seconds)

    def stop(self) -> None:
        """Leave the last table on the screen."""
        self._live.stop()

    def _draw(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for title in ("stage", "state", "seconds", "rows, or what is running"):
            table.add_column(title, justify="right" if title == "seconds" else "left", overflow="fold")
        colours = {"done": "green", "skipped": "cyan", "failed": "red", "running": "yellow"}
        for stage, (state, what, seconds) in self._state.items():
            clock = time.monotonic() - self._began[stage] if state == "running" else seconds
            table.add_row(
                stage, Text(state, style=colours.get(state, "dim")), f"{clock:.1f}" if clock else "", what
            )
        return Group(table)


def for_output() -> Progress:
    """Live on a terminal, plain elsewhere.

    spark-submit puts a pipe between the driver and the terminal, so the launcher, which still sees the
    terminal, says so in `BASKETLENS_TERMINAL` (its width in columns).
    """
    width = os.environ.get("BASKETLENS_TERMINAL", "")
    if width.isdigit() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveProgress(Console(force_terminal=True, width=int(width)))
    return LiveProgress(Console()) if sys.stdout.isatty() else PlainProgress()
