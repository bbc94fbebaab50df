"""Files that cannot be read to their end: found, so that they can be left out whole and named.

Spark's own `ignoreCorruptFiles` keeps the rows before the tear and says nothing.  Here everything is read once,
strictly and for nothing; when that fails, the file at fault is left out and it is read again.
"""

from typing import Final
from urllib.parse import unquote

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens.errors import InputError
from basketlens.faults import SPARK_ERRORS, is_torn_file
from basketlens.formats import FILE

_MOST_TORN: Final = 100


def without_torn_files(rows: DataFrame, *, setting: str) -> tuple[DataFrame, tuple[str, ...]]:
    """The rows of whole files, and the files that were left out, decoded and sorted.

    Reads everything once, and once more for each torn file.

    Args:
        rows: rows that still have their `FILE`.
        setting: the setting that named the source, for messages.

    Raises:
        InputError: no file is whole, or more than 100 are not.
    """
    files = sorted({_as_metadata(uri) for uri in rows.inputFiles()})
    torn: list[str] = []
    while error := _scan_error(_apart_from(rows, torn)):
        whole = [file for file in files if file not in torn]
        found = _at_fault(rows, whole, str(error))
        if found is None:
            raise error
        torn.append(found)
        if len(torn) == len(files) or len(torn) > _MOST_TORN:
            some = "No file" if len(torn) == len(files) else f"More than {_MOST_TORN} files: too few"
            raise InputError(
                f"{some} of {setting} can be read to its end.\n  Torn: {unquote(torn[0])}, ...\n"
                "  Next: deliver them again, or see what wrote them"
            )
    return _apart_from(rows, torn), tuple(sorted(map(unquote, torn)))


def _apart_from(rows: DataFrame, torn: list[str]) -> DataFrame:
    # Spark prunes by this condition before it opens a file.
    return rows.filter(~F.col(FILE).isin(torn)) if torn else rows


def _scan_error(rows: DataFrame) -> Exception | None:
    """What a reading of everything fails with when a file is torn; other failures are raised."""
    try:
        rows.write.format("noop").mode("overwrite").save()
    except SPARK_ERRORS as error:
        if not is_torn_file(error):
            raise
        return error
    return None


def _at_fault(rows: DataFrame, files: list[str], said: str) -> str | None:
    """The file that the message names; Spark 3.5 does not always name one, then by halving."""
    readable = unquote(said)
    # The longest first: the name of one file may be the beginning of another's.
    for file in sorted(files, key=len, reverse=True):
        if unquote(file).removeprefix("file:") in readable:
            return file
    while len(files) > 1:
        half = files[: len(files) // 2]
        files = half if _scan_error(rows.filter(F.col(FILE).isin(half))) else files[len(half) :]
    return files[0] if files and _scan_error(rows.filter(F.col(FILE).isin(files))) else None


def _as_metadata(uri: str) -> str:
    """`inputFiles` writes file:///a where `_metadata.file_path` writes file:/a."""
    return uri.replace("file:///", "file:/", 1)
