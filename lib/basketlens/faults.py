"""Spark's exceptions in the user's words."""

import re
from itertools import takewhile
from typing import Final

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException

from basketlens import errors
from basketlens.errors import BasketLensError, FaultError, InputError, SettingsError

_OURS = re.compile(r"basketlens\.errors\.(\w+): (.+?)(?:\n\n|\nJVM stacktrace|\Z)", re.DOTALL)
_FULL_DISK = ("No space left on device", "Disk quota exceeded")
# A file that ends too soon or holds something else.
_TORN = (
    "FAILED_READ_FILE",
    "CANNOT_READ_FILE_FOOTER",
    "Encountered error while reading file",
    "is not a Parquet file",
    "not a gzip file",
    "Unexpected end of input stream",
    "java.util.zip.",
)
# A whole file that does not fit, or may not be read: no reason to leave it out.
_UNFIT = (
    "CSV header does not conform",
    "DATA_TYPE_MISMATCH",
    "cannot be converted in file",
    "FILE_NOT_EXIST",
    "Permission denied",
)
_UNREADABLE = (*_TORN, *_UNFIT)
_WRONG_PATTERN = {
    "DATETIME_PATTERN": "input.timestamp_formats holds a pattern that Spark does not know",
    "DATETIME_WEEK_BASED_PATTERN": "input.timestamp_formats holds a pattern that Spark does not know",
    "PatternSyntaxException": "clean.non_merchandise_names holds a regular expression that Java does not know",
}
# Class 22 of SQLSTATE are values that a computation could not take; our own SQL has none that could fail.
_IN_EXPRESSION = re.compile(r"SQLSTATE: 22\w{3}\s*== SQL")
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
    return _wrong_setting(text) or _trouble(text) or error


def _trouble(text: str) -> BasketLensError | None:
    """A full disk, an unreadable file or a lost cluster."""
    if said := _line_with(text, _FULL_DISK):
        return FaultError(
            f"A disk is full; the tables of the last good run are untouched.\n  Spark says: {said}"
        )
    if said := _line_with(text, _UNREADABLE):
        return InputError(f"An input file cannot be read.\n  Spark says: {said}{_root_cause(text)}")
    # A worker's traceback is an error in code, whatever words it holds.
    if (said := _line_with(text, _LOST)) and "Traceback" not in text:
        return FaultError(f"The cluster failed; the same run may succeed later.\n  Spark says: {said}")
    return None


def _wrong_setting(text: str) -> BasketLensError | None:
    """A pattern or an expression of the user's that only Spark could judge."""
    for mark, what in _WRONG_PATTERN.items():
        if said := _line_with(text, (mark,)):
            return SettingsError(f"{what}.\n  Spark says: {said}")
    if _IN_EXPRESSION.search(text) and (said := _line_with(text, ("SQLSTATE: 22",))):
        # Spark quotes the value, which may be a customer's id, and errors are kept in `runs`.
        without_value = re.sub(r"'.*'", "'...'", said)
        return InputError(
            f"An SQL expression of the settings failed on a row.\n  Spark says: {without_value}\n"
            "  Next: in clean.*columns and input.where use try_cast, try_divide and their like"
        )
    return None


def is_torn_file(error: BaseException) -> bool:
    """Whether Spark stopped at a file that cannot be read to its end, rather than at one that does not fit."""
    text = str(error)
    is_elsewhere = any(mark in text for mark in (*_UNFIT, *_FULL_DISK))
    return any(mark in text for mark in _TORN) and not is_elsewhere


def _line_with(text: str, marks: tuple[str, ...]) -> str | None:
    found = next((line for line in text.splitlines() if any(mark in line for mark in marks)), None)
    return found.strip().removeprefix(": ")[:300] if found else None


def _root_cause(text: str) -> str:
    """The innermost cause with the lines that belong to it, up to its stack."""
    _, mark, innermost = text.rpartition("Caused by: ")
    lines = list(takewhile(lambda line: not line.lstrip().startswith(("at ", "...")), innermost.splitlines()))
    return f"\n  Cause: {' '.join(' '.join(lines).split())[:400]}" if mark and lines else ""
