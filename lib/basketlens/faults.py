"""Spark's exceptions in the user's words."""

import re
from itertools import takewhile
from typing import Final

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from basketlens import errors
from basketlens.errors import BasketLensError, FaultError, InputError

_OURS = re.compile(r"basketlens\.errors\.(\w+): (.+?)(?:\n\n|\nJVM stacktrace|\Z)", re.DOTALL)
_FULL_DISK = ("No space left on device", "Disk quota exceeded")
_UNREADABLE = (
    "is not a Parquet file",
    "FAILED_READ_FILE",
    "Permission denied",
    "CSV header does not conform",
)
_LOST = ("Connection refused", "ExecutorLostFailure", "Lost task", "FetchFailed", "UnknownHostException")


SPARK_ERRORS: Final = (PySparkException, Py4JError)  # both kinds in which the JVM's exceptions arrive


def spark_says(error: BaseException) -> str:
    """The line of Spark's message that tells most."""
    lines = [line.strip().removeprefix(": ") for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("An error occurred while calling")]
    return (telling or [type(error).__name__])[0][:300]


def as_user_error(error: BaseException) -> BaseException:
    """The error that the user should see: ours from a Python worker, a full disk, an unreadable file; else itself."""
    if isinstance(error, BasketLensError) or not isinstance(error, Exception):
        return error
    text = str(error)
    if match := _OURS.search(text):
        kind = getattr(errors, match[1], BasketLensError)
        return kind(match[2].strip()) if issubclass(kind, BasketLensError) else error
    if said := _line_with(text, _FULL_DISK):
        return FaultError(
            f"A disk is full; the tables of the last good run are untouched.\n  Spark says: {said}"
        )
    if said := _line_with(text, _UNREADABLE):
        return InputError(f"An input file cannot be read.\n  Spark says: {said}{_root_cause(text)}")
    # A worker's traceback is an error in code, whatever words it holds.
    if (said := _line_with(text, _LOST)) and "Traceback" not in text:
        return FaultError(f"The cluster failed; the same run may succeed later.\n  Spark says: {said}")
    return error


def _line_with(text: str, marks: tuple[str, ...]) -> str | None:
    found = next((line for line in text.splitlines() if any(mark in line for mark in marks)), None)
    return found.strip().removeprefix(": ")[:300] if found else None


def _root_cause(text: str) -> str:
    """The innermost cause with the lines that belong to it, up to its stack."""
    _, mark, innermost = text.rpartition("Caused by: ")
    lines = list(takewhile(lambda line: not line.lstrip().startswith(("at ", "...")), innermost.splitlines()))
    return f"\n  Cause: {' '.join(' '.join(lines).split())[:400]}" if mark and lines else ""
