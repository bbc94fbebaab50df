"""Runs: fingerprints, skipping what is done, manifests, the `runs` table, publishing."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession

import basketlens
from basketlens import columns as c
from basketlens import errors, schemas, settings_files
from basketlens.errors import BasketLensError, FaultError, InputError
from basketlens.adapter import FileSystem, default_parallelism
from basketlens.progress import Progress
from basketlens.settings import Settings
from basketlens.sources import file_set_version, read_source
from basketlens.stages import RAW_LINES, RAW_PRODUCTS, STAGES, Stage
from basketlens.stage_io import Written
from basketlens.tables import Tables


class Outcome(NamedTuple):
    """How one stage went."""

    stage: str
    status: str  # done | skipped | failed
    rows: Mapping[str, int]
    figures: Mapping[str, Any]
    seconds: float


def new_run_id() -> str:
    """Sortable by time, unique without a registry: `20250131T040000-9f2c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


class StageIO:
    """What a stage may do with the world; see `stages.StageIO`."""

    def __init__(self, run: "Run", stage: str) -> None:
        self._run, self._stage = run, stage
        self.run_id = run.run_id
        self.cores = default_parallelism(run.spark)
        self.rows: dict[str, int] = {}
        self.figures: dict[str, Any] = {}

    def read(self, name: str) -> DataFrame:
        return self._run.tables.read(name)

    def has(self, name: str) -> bool:
        return self._run.tables.exists(name)

    def source(self, name: str, wanted: Mapping[str, str]) -> DataFrame:
        given = self._run.settings.input
        location, kind, setting = (
            (given.transactions, given.format, "input.transactions")
            if name == RAW_LINES
            else (given.products, given.products_format or given.format, "input.products")
        )
        return read_source(self._run.spark, given, location, kind, wanted, setting=setting)

    def write(self, name: str, df: DataFrame, *, doing: str, measures: Mapping[str, Column] | None = None) -> Written:
        self._run.progress.running(self._stage, doing)
        written = self._run.tables.write(name, df, measures)
        if name in STAGES[self._stage].writes:
            self.rows[name] = written.rows
        return written

    def to_driver(self, df: DataFrame, *, limit: int, what: str, doing: str) -> pd.DataFrame:
        self._run.progress.running(self._stage, doing)
        return self._run.tables.to_driver(df, limit=limit, what=what)

    def note(self, **figures: Any) -> None:
        self.figures.update(figures)

    def write_page(self, html: str) -> str:
        path = self._run.settings.report.html or f"{self._run.tables.root}/report.html"
        self._run.files.write_text(path, html)
        return path


class Run:
    """One invocation: some stages in order, each skipped when nothing it depends on has changed."""

    def __init__(
        self, spark: SparkSession, settings: Settings, progress: Progress, run_id: str, *, force: bool = False
    ) -> None:
        self.spark, self.settings, self.progress, self.run_id, self._force = spark, settings, progress, run_id, force
        self.files = FileSystem(spark, settings.tables.root)
        self.tables = Tables(spark, settings, self.files, run_id)

    def execute(self, names: tuple[str, ...]) -> list[Outcome]:
        """Run the stages in order; stop at the first failure.

        Raises:
            BasketLensError: the user must act; earlier stages of this run stay published.
        """
        self.tables.recover()
        self.progress.start(names)
        try:
            return [self._stage(name, STAGES[name]) for name in names]
        finally:
            self.progress.stop()

    def _stage(self, name: str, stage: Stage) -> Outcome:
        began, started_at = time.monotonic(), datetime.now(UTC)
        self.progress.running(name, "comparing with the last run")
        inputs: dict[str, str] = {}
        fingerprint, io = "", StageIO(self, name)
        try:
            inputs = self._input_versions(stage)
            fingerprint = self._fingerprint(name, stage, inputs)
            last = self._manifest(name)
            if not self._force and last and last["fingerprint"] == fingerprint and all(map(self.tables.exists, stage.writes)):
                outcome = Outcome(name, "skipped", last["rows_out"], last["figures"], time.monotonic() - began)
            else:
                stage.run(io, self.settings)
                self.progress.running(name, "publishing")
                self.tables.publish(stage.writes)
                outcome = Outcome(name, "done", io.rows, io.figures, time.monotonic() - began)
                self._write_manifest(outcome, fingerprint, inputs, started_at)
            self._log_run(outcome, fingerprint, inputs, started_at, message=None)
        except BaseException as error:
            self._failed(name, fingerprint, inputs, started_at, time.monotonic() - began, error)
            raise as_user_error(error) from error
        self.progress.ended(name, outcome.status, outcome.rows, outcome.seconds)
        return outcome

    def _failed(
        self, name: str, fingerprint: str, inputs: dict[str, str], started_at: datetime, seconds: float, error: BaseException
    ) -> None:
        """Leave no staging behind and log the failure; trouble while doing so must not hide the cause."""
        outcome = Outcome(name, "failed", {}, {}, seconds)
        self.progress.ended(name, outcome.status, outcome.rows, outcome.seconds)
        for act in (
            self.tables.discard,
            lambda: self._log_run(outcome, fingerprint, inputs, started_at, message=str(error).strip().split("\n")[0][:500]),
        ):
            try:
                act()
            except Exception as second:  # noqa: BLE001 - the first error is the one to report
                error.add_note(f"While tidying up: {str(second).splitlines()[0]}")

    def _input_versions(self, stage: Stage) -> dict[str, str]:
        """Input -> version.  A catalogue table has none that can be asked for, so its stage never skips."""
        versions = {}
        for table in stage.reads:
            replaced = self.settings.tables.read.get(table)
            raw = {RAW_LINES: self.settings.input.transactions, RAW_PRODUCTS: self.settings.input.products}.get(table)
            location = replaced if replaced is not None else raw
            if location == "":
                versions[table] = "none"
            elif location is None:
                writer = self._manifest(next(s for s, other in STAGES.items() if table in other.writes))
                versions[table] = f"run {writer['run_id']}" if writer else "not there"
            elif self._is_catalogue_table(table, location):
                versions[table] = f"table {location} as of run {self.run_id}"
            else:
                versions[table] = f"{location}: {file_set_version(self.spark, location)}"
        return versions

    def _is_catalogue_table(self, table: str, location: str) -> bool:
        given = self.settings.input
        if table == RAW_LINES:
            return given.format == "table"
        if table == RAW_PRODUCTS:
            return (given.products_format or given.format) == "table"
        return "/" not in location and not self.files.exists(location)

    def _fingerprint(self, name: str, stage: Stage, inputs: Mapping[str, str]) -> str:
        plain = settings_files.masked(self.settings)
        parts = {
            "stage": name,
            "inputs": dict(inputs),
            "settings": {section: plain[section] for section in stage.sections},
            "extra": stage.extra(self.settings) if stage.extra else {},
            "code": code_version(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _manifest_path(self, name: str) -> str:
        return f"{self.tables.root}/_manifests/{name}.json"

    def _manifest(self, name: str) -> dict[str, Any] | None:
        path = self._manifest_path(name)
        return json.loads(self.files.read_text(path)) if self.files.exists(path) else None

    def _write_manifest(
        self, outcome: Outcome, fingerprint: str, inputs: Mapping[str, str], started_at: datetime
    ) -> None:
        stage = STAGES[outcome.stage]
        plain = settings_files.masked(self.settings)
        manifest = {
            "stage": outcome.stage,
            "run_id": self.run_id,
            "status": outcome.status,
            "fingerprint": fingerprint,
            "started_at": started_at.isoformat(timespec="seconds"),
            "seconds": round(outcome.seconds, 3),
            "inputs": dict(inputs),
            "settings": {section: plain[section] for section in stage.sections},
            "settings_hash": hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest(),
            "extra": stage.extra(self.settings) if stage.extra else {},
            "code_version": code_version(),
            "spark_version": self.spark.version,
            "rows_out": dict(outcome.rows),
            "figures": dict(outcome.figures),
        }
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        self.files.write_text(f"{self.tables.root}/_manifests/history/{self.run_id}-{outcome.stage}.json", text)
        self.files.write_text(self._manifest_path(outcome.stage), text)

    def _log_run(
        self, outcome: Outcome, fingerprint: str, inputs: Mapping[str, str], started_at: datetime, *, message: str | None
    ) -> None:
        row = {
            c.RUN_ID: self.run_id,
            c.STAGE: outcome.stage,
            c.FINGERPRINT: fingerprint,
            c.INPUTS: dict(inputs),
            c.ROWS_IN: outcome.figures.get("rows_in"),
            c.ROWS_OUT: dict(outcome.rows),
            c.SECONDS: outcome.seconds,
            c.STATUS: outcome.status,
            c.STARTED_AT: started_at,
            c.MESSAGE: message,
        }
        self.tables.append("runs", self.spark.createDataFrame([tuple(row.values())], schemas.RUNS))


def code_version() -> str:
    """Package version and a digest of its source, so that a changed line of code reruns a stage."""
    digest = hashlib.sha256()

    def add(folder: Traversable) -> None:
        for entry in sorted(folder.iterdir(), key=lambda e: e.name):
            if entry.is_dir() and entry.name != "__pycache__":
                add(entry)
            elif entry.name.endswith((".py", ".html")):
                digest.update(entry.name.encode() + b"\0" + entry.read_bytes())

    add(resources.files("basketlens"))
    return f"{basketlens.__version__}+{digest.hexdigest()[:16]}"


_OURS = re.compile(r"basketlens\.errors\.(\w+): (.+?)(?:\n\n|\nJVM stacktrace|\Z)", re.DOTALL)
_FULL_DISK = ("No space left on device", "Disk quota exceeded")
_UNREADABLE = ("is not a Parquet file", "FAILED_READ_FILE", "Permission denied", "CSV header does not conform")
_LOST = ("Connection refused", "ExecutorLostFailure", "Lost task", "FetchFailed", "UnknownHostException")


def as_user_error(error: BaseException) -> BaseException:
    """The error that the user should see: ours from a Python worker, a full disk, an unreadable file; else itself."""
    if isinstance(error, BasketLensError) or not isinstance(error, Exception):
        return error
    text = str(error)
    if match := _OURS.search(text):
        kind = getattr(errors, match[1], BasketLensError)
        return kind(match[2].strip()) if issubclass(kind, BasketLensError) else error
    line = next((found for found in text.splitlines() if any(mark in found for mark in _FULL_DISK)), None)
    if line:
        return FaultError(f"A disk is full; the tables of the last good run are untouched.\n  Spark says: {line.strip()[:300]}")
    line = next((found for found in text.splitlines() if any(mark in found for mark in _UNREADABLE)), None)
    if line:
        return InputError(f"An input file cannot be read.\n  Spark says: {line.strip()[:300]}")
    line = next((found for found in text.splitlines() if any(mark in found for mark in _LOST)), None)
    if line and "Python worker" not in text and "Traceback" not in text:
        return FaultError(f"The cluster failed; the same run may succeed later.\n  Spark says: {line.strip()[:300]}")
    return error
