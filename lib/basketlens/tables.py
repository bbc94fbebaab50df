"""The only reader and writer of tables.

A stage writes to a staging folder; `publish` moves every table of the stage into place at the end, so that a
failed run leaves the earlier tables as they were.  A table is never half old and half new.
"""

from collections.abc import Mapping
from typing import Final

import pandas as pd
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.errors import InputError, LimitError, SettingsError
from basketlens.faults import SPARK_ERRORS, spark_says
from basketlens.locations import resolve
from basketlens.settings import Settings
from basketlens.stage_io import Written

CONTRACTS: Final[Mapping[str, T.StructType]] = {
    "lines": schemas.LINES,
    "rejects": schemas.REJECTS,
    "products": schemas.PRODUCTS,
    "items": schemas.ITEMS,
    "embeddings": schemas.EMBEDDINGS,
    "links": schemas.LINKS,
    "link_stats": schemas.LINK_STATS,
    "itemsets": schemas.ITEMSETS,
    "rules": schemas.RULES,
    "associations": schemas.ASSOCIATIONS,
    "cross_sell": schemas.CROSS_SELL,
    "runs": schemas.RUNS,
}
# What a user's own table must have to stand in for ours; the same as we write, unless stated.
REPLACEMENTS: Final[Mapping[str, T.StructType]] = {**CONTRACTS, "lines": schemas.LINES_INPUT}


class Tables:
    """Tables of one run: read what earlier stages published, write to staging, publish."""

    def __init__(self, spark: SparkSession, settings: Settings, files: FileSystem, run_id: str) -> None:
        self.spark = spark
        self.root = settings.tables.root.rstrip("/")
        self._replaced = settings.tables.read
        if unknown := sorted(set(self._replaced) - set(CONTRACTS)):
            raise SettingsError(f"tables.read.{unknown[0]} names no table.\n  Tables: {', '.join(CONTRACTS)}")
        self._files = files
        self._staging = f"{self.root}/.staging/{run_id}"
        self._staged: set[str] = set()

    def path(self, name: str) -> str:
        """Folder of a published table."""
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        """Whether the table was published and written to its end."""
        return self._files.exists(f"{self.path(name)}/_SUCCESS")

    def read(self, name: str) -> DataFrame:
        """A table: the one that this stage has staged, else the user's replacement, else the published one.

        Raises:
            InputError: it is not there.
            TableContractError: it lacks a column of its contract or has one of another type.
        """
        if name in self._staged:
            return self.spark.read.parquet(f"{self._staging}/{name}")
        if name in self._replaced:
            return self._read_replacement(name, self._replaced[name])
        if not self.exists(name):
            raise InputError(
                f"Table '{name}' is not there yet.\n  Looked at: {self.path(name)}\n"
                f"  Next: run the stage that writes it, or name your own: --set tables.read.{name}=PATH"
            )
        return schemas.conform(self.spark.read.parquet(self.path(name)), CONTRACTS[name], table=name)

    def _read_replacement(self, name: str, location: str) -> DataFrame:
        path = resolve(location)
        is_path = "/" in path or self._files.exists(path)
        try:
            found = self.spark.read.parquet(path) if is_path else self.spark.read.table(path)
        except SPARK_ERRORS as error:
            raise InputError(
                f"tables.read.{name} = '{location}' cannot be read.\n  Spark says: {spark_says(error)}"
            ) from None
        return schemas.conform(found, REPLACEMENTS[name], table=name)

    def write(self, name: str, df: DataFrame, measures: Mapping[str, Column] | None = None) -> Written:
        """Materialise a table in staging; rows and measures are taken in the same pass.

        Args:
            name: a contract's table, or any other word for a table that only this stage uses.
            df: the rows.
            measures: name -> aggregate over the rows written.
        """
        if name in CONTRACTS:
            df = schemas.conform(df, CONTRACTS[name], table=name)
        seen = Observation(f"{name}")
        aggregates = [F.count("*").alias("rows"), *((v.alias(k)) for k, v in (measures or {}).items())]
        df.observe(seen, *aggregates).write.mode("overwrite").parquet(f"{self._staging}/{name}")
        self._staged.add(name)
        values = dict(seen.get)
        return Written(int(values.pop("rows")), values)

    def to_driver(self, df: DataFrame, *, limit: int, what: str) -> pd.DataFrame:
        """A bounded result as pandas: the only way that rows reach the driver.

        Raises:
            LimitError: there are more than `limit` rows; no more than that were fetched.
        """
        frame = df.limit(limit + 1).toPandas()
        if len(frame) > limit:
            raise LimitError(f"More than {limit:,} {what}: the plan was made for fewer.")
        return frame

    def publish(self, names: tuple[str, ...]) -> None:
        """Move the staged tables into place, then remove staging and the versions they replace."""
        retired = f"{self.root}/.retired"
        for name in names:
            if self._files.exists(self.path(name)):
                self._files.remove(f"{retired}/{name}")
                self._files.move(self.path(name), f"{retired}/{name}")
            self._files.move(f"{self._staging}/{name}", self.path(name))
        self._files.remove(retired)
        self.discard()

    def discard(self) -> None:
        """Remove what this run has staged."""
        self._staged.clear()
        self._files.remove(self._staging)
        # Other runs' staging stays: a parent that is not empty is not ours to remove.

    def recover(self) -> None:
        """Put back a table that a killed `publish` had moved aside and not yet replaced."""
        for name in CONTRACTS:
            aside = f"{self.root}/.retired/{name}"
            if self._files.exists(aside) and not self.exists(name):
                self._files.remove(self.path(name))
                self._files.move(aside, self.path(name))

    def append(self, name: str, df: DataFrame) -> None:
        """Add rows to a published table (the log of runs)."""
        schemas.conform(df, CONTRACTS[name], table=name).coalesce(1).write.mode("append").parquet(
            self.path(name)
        )
