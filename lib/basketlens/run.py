"""Runs: stages in order, each skipped when nothing it depends on has changed, published, and written down."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens import fingerprint as fp
from basketlens import settings_files
from basketlens.adapter import FileSystem, default_parallelism, slots
from basketlens.checkpoints import Checkpoints
from basketlens.faults import as_user_error
from basketlens.progress import Progress
from basketlens.settings import Settings
from basketlens.sources import read_source, windowed
from basketlens.stage_io import Written
from basketlens.stages import RAW_LINES, RAW_PRODUCTS, RAW_RETURNS, STAGES
from basketlens.tables import Tables


class Outcome(NamedTuple):
    """How one stage went."""

    stage: str
    status: str  # done | skipped | failed
    rows: Mapping[str, int]  # table written -> rows
    figures: Mapping[str, Any]  # what the stage noted
    seconds: float


class _Attempt:
    """One stage of this run, from the look at its inputs to the row in `runs`."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.started_at, self._began = datetime.now(UTC), time.monotonic()
        self.inputs: dict[str, str] = {}
        self.extra: Mapping[str, str] = {}
        self.fingerprint = ""

    def outcome(self, status: str, rows: Mapping[str, int], figures: Mapping[str, Any]) -> Outcome:
        return Outcome(self.stage, status, rows, figures, time.monotonic() - self._began)


def new_run_id() -> str:
    """Sortable by time, unique without a registry: `20250131T040000-9f2c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def _manifest_path(stage: str) -> str:
    """Below the root: what the last run of a stage did."""
    return f"_manifests/{stage}.json"


class RunIO:
    """The runner's side of `stage_io.StageIO`."""

    def __init__(self, run: "Run", stage: str, checkpoints: Checkpoints) -> None:
        self._run, self._stage, self._checkpoints = run, stage, checkpoints
        self.run_id = run.run_id
        self.cores = default_parallelism(run.spark)
        self.rows: dict[str, int] = {}
        self.figures: dict[str, Any] = {}
        self._seen: dict[str, Observation] = {}
        self.steps: list[dict[str, Any]] = []  # what was done, in order, for the manifest

    def slots(self) -> int:
        return slots(self._run.spark)

    def read(self, name: str) -> DataFrame:
        return self._run.tables.read(name)

    def has(self, name: str) -> bool:
        return self._run.tables.exists(name)

    def earlier(self, name: str, location: str, *, setting: str) -> DataFrame | None:
        return self._run.tables.earlier(name, location, setting=setting)

    def source(self, name: str, wanted: Mapping[str, str]) -> DataFrame:
        given = self._run.settings.input
        location, kind, setting, where = {
            RAW_LINES: (given.transactions, given.format, "input.transactions", given.where),
            RAW_RETURNS: (given.returns, given.returns_format or given.format, "input.returns", given.where),
            RAW_PRODUCTS: (given.products, given.products_format or given.format, "input.products", ""),
        }[name]
        if given.ignore_corrupt_files:
            self._run.progress.running(self._stage, f"looking for torn files of {setting}")
        rows, skipped = read_source(
            self._run.spark,
            given,
            location,
            kind,
            wanted,
            setting=setting,
            where=windowed(where, since=self._run.settings.clean.since, until=self._run.settings.clean.until),
        )
        if skipped:
            self.note(skipped_files=sorted({*self.figures.get("skipped_files", ()), *skipped}))
        self._seen[name] = Observation(name)
        return rows.observe(self._seen[name], F.count("*").alias("rows"))

    def rows_read(self, name: str) -> int:
        return int(self._seen[name].get["rows"])

    def write(
        self,
        name: str,
        df: DataFrame,
        *,
        doing: str,
        measures: Mapping[str, Column] | None = None,
        by: str = "",
    ) -> Written:
        self._run.progress.running(self._stage, doing)
        began = time.monotonic()
        written = self._run.tables.write(name, df, measures, by=by)
        self._done(doing, began, written.rows)
        if name in (*STAGES[self._stage].writes, *STAGES[self._stage].may_write):
            self.rows[name] = written.rows
        return written

    def folder(self, name: str, schema: T.StructType) -> str:
        return self._run.tables.folder(name, schema)

    def write_parts(self, name: str, parts: Sequence[Callable[[], DataFrame]], *, doing: str) -> DataFrame:
        began = time.monotonic()

        def told(number: int) -> None:
            said = f"{doing}, part {number + 1} of {len(parts)}" if len(parts) > 1 else doing
            self._run.progress.running(self._stage, said)

        whole, found = self._checkpoints.whole(name, parts, told=told)
        seconds = round(time.monotonic() - began, 3)
        self.steps.append({"step": doing, "seconds": seconds, "parts": len(parts), "parts_found": found})
        return whole

    def to_driver(self, df: DataFrame, *, limit: int, what: str, doing: str) -> pd.DataFrame:
        self._run.progress.running(self._stage, doing)
        began = time.monotonic()
        frame = self._run.tables.to_driver(df, limit=limit, what=what)
        self._done(doing, began, len(frame))
        return frame

    def log(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._run.tables.append(name, rows)

    def _done(self, doing: str, began: float, rows: int) -> None:
        self.steps.append({"step": doing, "seconds": round(time.monotonic() - began, 3), "rows": rows})

    def note(self, **figures: Any) -> None:
        self.figures.update(figures)

    def write_folder(self, name: str, folder: Path) -> None:
        self._run.tables.write_folder(name, folder)

    def write_page(self, html: str) -> str:
        path = self._run.settings.report.html or f"{self._run.tables.root}/report.html"
        self._run.files.write_text(path, html)
        return path


class Run:
    """One invocation."""

    def __init__(
        self, spark: SparkSession, settings: Settings, progress: Progress, run_id: str, *, force: bool = False
    ) -> None:
        self.spark, self.settings, self.progress, self.run_id = spark, settings, progress, run_id
        self._force = force
        self.files = FileSystem(spark, settings.tables.root)
        self.tables = Tables(spark, settings, self.files, run_id)

    def execute(self, names: tuple[str, ...]) -> list[Outcome]:
        """Run the stages in order; stop at the first failure.

        Raises:
            BasketLensError: the user must act; what earlier stages of this run published stays.
        """
        self.tables.recover()
        self.progress.start(names)
        try:
            return [self._stage(name) for name in names]
        finally:
            self.progress.stop()

    def _stage(self, name: str) -> Outcome:
        attempt = _Attempt(name)
        self.progress.running(name, "comparing with the last run")
        try:
            outcome = self._attempt(attempt)
            self._log(attempt, outcome, message=None)
        except BaseException as error:
            self._failed(attempt, error)
            raise as_user_error(error) from error
        is_off = outcome.figures.get("enabled") is False  # nobody shall believe that something was trained
        self.progress.ended(name, "off" if is_off else outcome.status, outcome.rows, outcome.seconds)
        return outcome

    def _attempt(self, attempt: _Attempt) -> Outcome:
        """Skip or run, and publish."""
        name, stage = attempt.stage, STAGES[attempt.stage]
        attempt.extra = stage.extra(self.settings) if stage.extra else {}
        attempt.inputs = fp.input_versions(
            self.spark, self.settings, stage,
            run_id=self.run_id, manifest_of=self._manifest, is_folder=self.files.exists,
        )  # fmt: skip
        settings = fp.relevant_settings(self.settings, stage)
        parts = {"inputs": attempt.inputs, "settings": settings, "extra": dict(attempt.extra)}
        attempt.fingerprint = fp.fingerprint(name, parts)
        last = self._manifest(name)
        is_same = last is not None and last["fingerprint"] == attempt.fingerprint
        written = {*stage.writes, *(last["rows_out"] if last else ())}
        if last and is_same and not self._force and all(map(self.tables.exists, written)):
            return attempt.outcome("skipped", last["rows_out"], last["figures"])
        checkpoints = Checkpoints(self.spark, self.files, self.tables.root, name, attempt.fingerprint)
        if self._force:
            checkpoints.remove()
        checkpoints.drop_others()
        io = RunIO(self, name, checkpoints)
        stage.run(io, self.settings)
        self.progress.running(name, "publishing")
        outcome = attempt.outcome("done", io.rows, io.figures)
        # With the tables: a manifest that does not speak of the tables beside it would skip a stage wrongly.
        manifests = self._manifests(attempt, outcome, settings, io.steps)
        self.tables.publish(stage.writes, manifests, optional=stage.may_write)
        checkpoints.remove()
        return outcome

    def _failed(self, attempt: _Attempt, error: BaseException) -> None:
        """Leave no staging behind and log the failure; trouble while doing so must not hide the cause."""
        outcome = attempt.outcome("failed", {}, {})
        self.progress.ended(outcome.stage, outcome.status, outcome.rows, outcome.seconds)
        message = " ".join(str(as_user_error(error)).split())[:500]
        for act in (self.tables.discard, lambda: self._log(attempt, outcome, message=message)):
            try:
                act()
            except Exception as second:
                error.add_note(f"While tidying up: {str(second).splitlines()[0]}")

    def _manifest(self, name: str) -> dict[str, Any] | None:
        path = f"{self.tables.root}/{_manifest_path(name)}"
        return json.loads(self.files.read_text(path)) if self.files.exists(path) else None

    def _manifests(
        self,
        attempt: _Attempt,
        outcome: Outcome,
        settings: Mapping[str, Any],
        steps: Sequence[Mapping[str, Any]],
    ) -> dict[str, str]:
        """Where the stage's manifest goes, and its copy in the history -> what it says."""
        hashed = hashlib.sha256(json.dumps(settings_files.masked(self.settings), sort_keys=True).encode())
        manifest = {
            "stage": outcome.stage,
            "run_id": self.run_id,
            "status": outcome.status,
            "fingerprint": attempt.fingerprint,
            "started_at": attempt.started_at.isoformat(timespec="seconds"),
            "seconds": round(outcome.seconds, 3),
            "inputs": attempt.inputs,
            "settings": dict(settings),
            "settings_hash": hashed.hexdigest(),
            "extra": dict(attempt.extra),  # model digest, key fingerprint
            "code_version": fp.code_version(),
            "spark_version": self.spark.version,
            "rows_out": dict(outcome.rows),
            "figures": dict(outcome.figures),
            "steps": list(steps),
        }
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        history = f"_manifests/history/{self.run_id}-{outcome.stage}.json"
        return {history: text, _manifest_path(outcome.stage): text}

    def _log(self, attempt: _Attempt, outcome: Outcome, *, message: str | None) -> None:
        row = {
            c.RUN_ID: self.run_id,
            c.STAGE: outcome.stage,
            c.FINGERPRINT: attempt.fingerprint,
            c.INPUTS: attempt.inputs,
            c.ROWS_IN: outcome.figures.get("rows_in"),
            c.ROWS_OUT: dict(outcome.rows),
            c.SECONDS: outcome.seconds,
            c.STATUS: outcome.status,
            c.STARTED_AT: attempt.started_at,
            c.MESSAGE: message,
            c.FIGURES: None if message else json.dumps(dict(outcome.figures), sort_keys=True),
        }
        self.tables.append("runs", [row])
