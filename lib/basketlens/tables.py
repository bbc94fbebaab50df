"""The only reader and writer of tables.

A stage writes to a staging folder; `publish` moves every table of the stage into place at the end, so that a
failed run leaves the earlier tables as they were.  A table is never half old and half new.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import pandas as pd
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.errors import InputError, LimitError, SettingsError
from basketlens.faults import SPARK_ERRORS, spark_says
from basketlens.locations import resolve
from basketlens.publishing import STAGING, Move, Publisher
from basketlens.settings import Settings
from basketlens.stage_io import Written
from basketlens.windows import DayWindow

CONTRACTS: Final[Mapping[str, T.StructType]] = {
    "lines": schemas.LINES,
    "rejects": schemas.REJECTS,
    "products": schemas.PRODUCTS,
    "items": schemas.ITEMS,
    "embeddings": schemas.EMBEDDINGS,
    "projections": schemas.PROJECTIONS,
    "basket_projections": schemas.PROJECTIONS,
    "evaluation": schemas.EVALUATION,
    "labels": schemas.LABELS,
    "links": schemas.LINKS,
    "link_stats": schemas.LINK_STATS,
    "contexts": schemas.CONTEXTS,
    "itemsets": schemas.ITEMSETS,
    "rules": schemas.RULES,
    "rule_drift": schemas.RULE_DRIFT,
    "associations": schemas.ASSOCIATIONS,
    "cross_sell": schemas.CROSS_SELL,
    "copurchases": schemas.COPURCHASES,
    "open_baskets": schemas.OPEN_BASKETS,
    "recommendations": schemas.RECOMMENDATIONS,
    "data_quality": schemas.DATA_QUALITY,
    "runs": schemas.RUNS,
}
# What a user's own table must have to stand in for ours; the same as we write, unless stated.
REPLACEMENTS: Final[Mapping[str, T.StructType]] = {
    **CONTRACTS,
    "lines": schemas.LINES_INPUT,
    "rejects": schemas.REJECTS_INPUT,
    "embeddings": schemas.EMBEDDINGS_INPUT,
}
# What is asked of a table of an earlier run, which may be of an earlier version and lack later columns.
EARLIER: Final[Mapping[str, T.StructType]] = {
    "rules": schemas.RULE_COUNTS,
    "embeddings": schemas.EMBEDDINGS_INPUT,
}
# Tables with one folder per day, so that a run over a window of days replaces just these.
PARTITIONED: Final[Mapping[str, str]] = {"lines": c.SOLD_ON, "rejects": c.SOLD_ON}
_NO_DAY: Final = "__HIVE_DEFAULT_PARTITION__"  # where Spark writes rows whose day is null


class Tables:
    """Tables of one run: read what earlier stages published, write to staging, publish."""

    def __init__(self, spark: SparkSession, settings: Settings, files: FileSystem, run_id: str) -> None:
        self.spark = spark
        self.root = settings.tables.root.rstrip("/")
        self._replaced = settings.tables.read
        if unknown := sorted(set(self._replaced) - set(CONTRACTS)):
            raise SettingsError(f"tables.read.{unknown[0]} names no table.\n  Tables: {', '.join(CONTRACTS)}")
        if not re.fullmatch(r"\w[\w.-]*", run_id):
            raise SettingsError(
                f"--run-id '{run_id}' cannot name a folder.\n  Allowed: letters, digits, '_', '-' and '.'"
            )
        self._written = {**CONTRACTS, "rules": schemas.rules_with(settings.mine.measures)}
        self._files = files
        self._run_id = run_id
        self._window = DayWindow.of(settings.clean)
        self._publisher = Publisher(files, self.root)
        self._staging = f"{self.root}/{STAGING}/{run_id}"
        self._staged: dict[str, T.StructType] = {}
        self._folders: set[str] = set()  # staged, and no tables

    def path(self, name: str) -> str:
        """Folder of a published table."""
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        """Whether the table was published and written to its end."""
        return self._files.exists(f"{self.path(name)}/_SUCCESS")

    def read(self, name: str) -> DataFrame:
        """A table: the one that this stage has staged, else the user's replacement, else the published one.

        A table that is staged for a window of days is read as it will be once published: with all other days.

        Raises:
            InputError: it is not there.
            TableContractError: it lacks a column of its contract or has one of another type.
        """
        if name in self._staged:
            staged = self._load(f"{self._staging}/{name}", name)
            if not self._is_replaced_by_day(name):
                return staged
            other_days = self._published(name).filter(~self._window.condition(F.col(PARTITIONED[name])))
            return staged.unionByName(other_days)
        if name in self._replaced:
            return self._read_location(
                self._replaced[name], REPLACEMENTS[name], table=name, setting=f"tables.read.{name}"
            )
        if not self.exists(name):
            raise InputError(
                f"Table '{name}' is not there yet.\n  Looked at: {self.path(name)}\n"
                f"  Next: run the stage that writes it, or name your own: --set tables.read.{name}=PATH"
            )
        return self._published(name)

    def _published(self, name: str) -> DataFrame:
        return schemas.conform(self._load(self.path(name), name), CONTRACTS[name], table=name)

    def _load(self, folder: str, name: str) -> DataFrame:
        """One of our own folders; of a partitioned table Spark finds neither the days' type nor, without rows, a file."""
        if name in self._staged and name not in CONTRACTS:  # a folder for each value may be none at all
            return self.spark.read.schema(self._staged[name]).parquet(folder)
        if name not in PARTITIONED:
            return self.spark.read.parquet(folder)
        if not any(_holds_rows(child) for child in self._files.list(folder)):
            return self.spark.createDataFrame([], CONTRACTS[name])
        found = self.spark.read.parquet(folder)
        day = PARTITIONED[name]
        return found.withColumn(day, F.col(day).cast("date")) if day in found.columns else found

    def _is_replaced_by_day(self, name: str) -> bool:
        """Whether publishing replaces days of a table, and not the whole of it."""
        return name in PARTITIONED and not self._window.is_whole and self.exists(name)

    def _read_location(self, location: str, contract: T.StructType, *, table: str, setting: str) -> DataFrame:
        path = resolve(location)
        is_path = "/" in path or self._files.exists(path)
        try:
            found = self.spark.read.parquet(path) if is_path else self.spark.read.table(path)
        except SPARK_ERRORS as error:
            raise InputError(
                f"{setting} = '{location}' cannot be read.\n  Spark says: {spark_says(error)}"
            ) from None
        return schemas.conform(found, contract, table=table)

    def earlier(self, name: str, location: str, *, setting: str) -> DataFrame | None:
        """A table of an earlier run with the columns of `EARLIER`: the one at `location`, else the published one.

        What this run has staged of it is not looked at, and it stays in place until `publish`.

        Raises:
            InputError: there is nothing to read at `location`.
            TableContractError: it lacks a column or has one of another type.
        """
        if location:
            return self._read_location(location, EARLIER[name], table=name, setting=setting)
        if not self.exists(name):
            return None
        return schemas.conform(self._load(self.path(name), name), EARLIER[name], table=name)

    def write(
        self, name: str, df: DataFrame, measures: Mapping[str, Column] | None = None, *, by: str = ""
    ) -> Written:
        """Materialise a table in staging; rows and measures are taken in the same pass.

        Args:
            name: a contract's table, or any other word for a table that only this stage uses.
            df: the rows.
            measures: name -> aggregate over the rows written.
            by: of scratch: a column with a folder for each of its few values.
        """
        if name in self._written:
            df = schemas.conform(df, self._written[name], table=name)
        seen = Observation(f"{name}")
        aggregates = [F.count("*").alias("rows"), *((v.alias(k)) for k, v in (measures or {}).items())]
        if day := PARTITIONED.get(name):
            # Else every task writes a file for every day; adaptive execution still cuts large days.  In SQL, because
            # the DataFrame's `hint` takes no column in Spark 3.5.
            by_day = self.spark.sql(f"SELECT /*+ REBALANCE({day}) */ * FROM {{rows}}", rows=df)
            writer = by_day.observe(seen, *aggregates).write.partitionBy(day)
        else:
            writer = df.observe(seen, *aggregates).write.partitionBy(*filter(None, [by]))
        writer.mode("overwrite").parquet(f"{self._staging}/{name}")
        self._staged[name] = df.schema
        values = dict(seen.get)
        return Written(int(values.pop("rows")), values)

    def folder(self, name: str, schema: T.StructType) -> str:
        """Folder of a scratch table in staging, which others than Spark fill or read."""
        self._staged[name] = schema
        return f"{self._staging}/{name}"

    def to_driver(self, df: DataFrame, *, limit: int, what: str) -> pd.DataFrame:
        """A bounded result as pandas: the only way that rows reach the driver.

        Raises:
            LimitError: there are more than `limit` rows; no more than that were fetched.
        """
        frame = df.limit(limit + 1).toPandas()
        if len(frame) > limit:
            raise LimitError(f"More than {limit:,} {what}: the plan was made for fewer.")
        return frame

    def write_folder(self, name: str, folder: Path) -> None:
        """Stage a folder of this machine's disk, which is no table, to be published with the tables."""
        target = f"{self.root}/{STAGING}/{self._run_id}/{name}"
        self._files.remove(target)
        self._files.copy_in(str(folder), target)
        self._folders.add(name)

    def publish(
        self, names: Iterable[str], texts: Mapping[str, str] | None = None, *, optional: Iterable[str] = ()
    ) -> None:
        """Put the staged tables in place, then remove the staging.

        Args:
            names: tables that this run has staged.
            texts: small files that belong to them, path below the root -> text.
            optional: tables that it may have staged.  One that it has not goes: it would be of an earlier run, beside
                tables of this one.
        """
        moves = [move for name in names for move in self._moves(name)]
        for name in optional:
            staged = f"{STAGING}/{self._run_id}/{name}" if name in self._folders else None
            moves += self._moves(name) if name in self._staged else [Move(name, staged)]
        self._publisher.publish(self._run_id, moves, texts or {})
        self._staged.clear()
        self._folders.clear()

    def _moves(self, name: str) -> list[Move]:
        """The whole table, or in a run over a window the days inside it, also those that have no rows any more."""
        staged = f"{STAGING}/{self._run_id}/{name}"
        if not self._files.exists(f"{self.root}/{staged}/_SUCCESS"):
            raise AssertionError(f"table '{name}' is to be published but was not written to its end")
        if not self._is_replaced_by_day(name):
            return [Move(name, staged)]
        new = set(filter(_holds_rows, self._files.list(f"{self.root}/{staged}")))
        if strays := sorted(folder for folder in new if not self._is_inside(folder)):
            raise AssertionError(
                f"rows of table '{name}' lie outside {self._window}: {', '.join(strays[:5])}"
            )
        old = {folder for folder in self._files.list(self.path(name)) if self._is_inside(folder)}
        return [
            Move(f"{name}/{folder}", f"{staged}/{folder}" if folder in new else None)
            for folder in sorted(new | old)
        ]

    def _is_inside(self, folder: str) -> bool:
        """Whether a table's subfolder holds a day of the window."""
        _, is_partition, day = folder.partition("=")
        if day == _NO_DAY:
            return self._window.contains(None)
        try:
            return bool(is_partition) and self._window.contains(date.fromisoformat(day))
        except ValueError:  # no day of a calendar that Python knows: the year 12025
            return False

    def discard(self) -> None:
        """Remove what this run has staged, unless a journal still needs it: then `recover` ends what was begun."""
        self._staged.clear()
        if not self._publisher.is_unfinished(self._run_id):
            self._files.remove(self._staging)
        # Other runs' staging stays: a parent that is not empty is not ours to remove.

    def recover(self) -> None:
        """Finish what a killed `publish` had begun."""
        self._publisher.recover()

    def append(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to a log (`runs`, `data_quality`) at once: they stay when the run fails.

        Raises:
            KeyError: a row lacks a column of the contract.
        """
        contract = CONTRACTS[name]
        values = [tuple(row[column] for column in contract.names) for row in rows]
        self.spark.createDataFrame(values, contract).coalesce(1).write.mode("append").parquet(self.path(name))


def _holds_rows(child: str) -> bool:
    """Whether Spark reads a file or folder as part of a table: not `_SUCCESS` and the like."""
    return not child.startswith(("_", "."))
