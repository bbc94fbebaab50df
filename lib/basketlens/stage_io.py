"""What a stage may do with the world: the only door out of its pure transforms."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import types as T


class Written(NamedTuple):
    """What one write saw, measured in the same pass."""

    rows: int
    measures: Mapping[str, Any]


class StageIO(Protocol):
    """Given to every stage by the runner."""

    run_id: str
    cores: int  # tasks that run at once

    def slots(self) -> int:
        """Tasks that the executors of this moment could run at once."""

    def read(self, name: str) -> DataFrame:
        """A table: staged by this stage, else the user's replacement, else published by an earlier one."""

    def has(self, name: str) -> bool:
        """Whether a table was published by an earlier run."""

    def earlier(self, name: str, location: str, *, setting: str) -> DataFrame | None:
        """An earlier run's table: the one at `location` (a path or table, the value of `setting`) unless that is "".

        Else the one that this run's own will replace, or None when none was published.
        """

    def source(self, name: str, wanted: Mapping[str, str]) -> DataFrame:
        """Raw receipts, returns or catalogue: the wanted source columns (setting -> column or expression)."""

    def rows_read(self, name: str) -> int:
        """Rows that came out of a source, seen by the first write that read it.

        Ask only after a write from it that had rows: Spark may drop an empty source from the plan, and its count
        with it.  A task that ran twice may count twice.
        """

    def write(
        self,
        name: str,
        df: DataFrame,
        *,
        doing: str,
        measures: Mapping[str, Column] | None = None,
        by: str = "",
    ) -> Written:
        """Materialise a table in staging.  A name without a contract is the stage's own scratch.

        Scratch may be kept apart `by` a column of few values, so that who wants one of them reads no other.
        """

    def folder(self, name: str, schema: T.StructType) -> str:
        """Where scratch lies, for processes that are not Spark's: Parquet that they write there, `read` finds."""

    def write_parts(self, name: str, parts: Sequence[Callable[[], DataFrame]], *, doing: str) -> DataFrame:
        """Materialise scratch of a long stage part by part, each made when its turn comes; returns the whole.

        Parts that a killed or failed attempt at the same has finished are not computed again, so they must be the
        same at every attempt; `name` tells apart what is cut into other parts.
        """

    def to_driver(self, df: DataFrame, *, limit: int, what: str, doing: str) -> pd.DataFrame:
        """A result of at most `limit` rows; more is a `LimitError`."""

    def log(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to a log table such as `data_quality`, at once: they stay also when the stage fails.

        Each row names every column of the contract.
        """

    def note(self, **figures: Any) -> None:
        """Figures for the manifest and the summary."""

    def write_folder(self, name: str, folder: Path) -> None:
        """Copy a folder of this machine's disk to the staging; it is published with the tables."""

    def write_page(self, html: str) -> str:
        """Store the report; returns where."""
