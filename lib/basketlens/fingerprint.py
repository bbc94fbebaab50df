"""What a stage's tables depend on, as one digest: when it has not changed, the stage need not run."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from pyspark.sql import SparkSession

import basketlens
from basketlens import settings_files
from basketlens.settings import Settings
from basketlens.sources import file_set_version
from basketlens.stages import EARLIER_RULES, RAW_LINES, RAW_PRODUCTS, RAW_RETURNS, STAGES, Stage


def input_versions(
    spark: SparkSession,
    settings: Settings,
    stage: Stage,
    *,
    run_id: str,
    manifest_of: Callable[[str], Mapping[str, Any] | None],
    is_folder: Callable[[str], bool],
) -> dict[str, str]:
    """Input table -> version.

    Ours: the run that wrote it.  Files: a digest of their names, sizes and times.  A catalogue table has no
    version that can be asked for everywhere, so a stage that reads one never counts as unchanged.
    """
    given = settings.input
    raw = {
        RAW_LINES: ("input.transactions", given.transactions, given.format),
        RAW_RETURNS: ("input.returns", given.returns, given.returns_format or given.format),
        RAW_PRODUCTS: ("input.products", given.products, given.products_format or given.format),
        EARLIER_RULES: ("mine.compare_with", settings.mine.compare_with, ""),
    }
    versions = {}
    for table in stage.reads:
        own = (f"tables.read.{table}", settings.tables.read.get(table), "")
        setting, location, kind = raw.get(table, own)
        if location is None:
            writers = [name for name, other in STAGES.items() if table in (*other.writes, *other.may_write)]
            writer = manifest_of(writers[0]) if writers else None
            # A stage that may write a table, and has not, changes nothing for those that read it.
            is_there = writer and (table in STAGES[writers[0]].writes or table in writer["rows_out"])
            versions[table] = f"run {writer['run_id']}" if writer and is_there else "not there"
        elif location == "":
            versions[table] = "none"
        elif kind == "table" or (not kind and "/" not in location and not is_folder(location)):
            versions[table] = f"table {location} as of run {run_id}"
        else:
            versions[table] = f"{location}: {file_set_version(spark, location, setting=setting)}"
    return versions


def relevant_settings(settings: Settings, stage: Stage) -> dict[str, Any]:
    """The sections that a stage's tables depend on, secrets masked."""
    plain = settings_files.masked(settings)
    return {section: plain[section] for section in stage.sections}


def fingerprint(name: str, parts: Mapping[str, Any]) -> str:
    """64 hex digits over the stage, its inputs, settings, extra dependencies and code."""
    text = json.dumps({"stage": name, "code": code_version(), **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
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
