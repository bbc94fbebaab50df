"""A `StageIO` over the real `Tables` in a folder, with input tables given as DataFrames."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession

from basketlens.adapter import FileSystem
from basketlens.settings import Settings
from basketlens.settings_files import load_settings
from basketlens.stage_io import Written
from basketlens.tables import Tables


def settings_in(folder: Path, *assignments: str) -> Settings:
    return load_settings("base", [f"tables.root='{folder}'", *assignments], {})


class LocalIO:
    """Reads only the given tables and what the stage wrote; keeps figures and the seconds of each step."""

    def __init__(
        self, spark: SparkSession, settings: Settings, inputs: Mapping[str, DataFrame], *, cores: int = 2
    ):
        self.run_id, self.cores = "test", cores
        self._tables = Tables(spark, settings, FileSystem(spark, settings.tables.root), self.run_id)
        self._inputs = inputs
        self.figures: dict[str, Any] = {}
        self.steps: list[
            tuple[str, str, float, int]
        ] = []  # table, what ran, seconds since the last step, rows
        self._since = time.monotonic()

    def read(self, name: str) -> DataFrame:
        return self._inputs[name] if name in self._inputs else self._tables.read(name)

    def earlier(self, name: str, location: str, *, setting: str) -> DataFrame | None:
        return self._tables.earlier(name, location, setting=setting)

    def write(
        self, name: str, df: DataFrame, *, doing: str, measures: Mapping[str, Column] | None = None
    ) -> Written:
        written = self._tables.write(name, df, measures)
        self._done(name, doing, written.rows)
        return written

    def to_driver(self, df: DataFrame, *, limit: int, what: str, doing: str) -> pd.DataFrame:
        frame = self._tables.to_driver(df, limit=limit, what=what)
        self._done("", doing, len(frame))
        return frame

    def log(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._tables.append(name, rows)

    def note(self, **figures: Any) -> None:
        self.figures |= figures

    def _done(self, name: str, doing: str, rows: int) -> None:
        now = time.monotonic()
        self.steps.append((name, doing, now - self._since, rows))
        self._since = now
