"""Parts of a long stage that outlive a crash: an attempt at the same thing goes on where the last one stopped.

A part belongs to a fingerprint: to the stage's inputs, settings, code and model.  Nothing of another fingerprint
is ever read.
"""

from collections.abc import Callable, Sequence
from typing import Final

from pyspark.sql import DataFrame, SparkSession

from basketlens.adapter import FileSystem

FOLDER: Final = "_checkpoints"


class Checkpoints:
    """Parts of one stage below a root."""

    def __init__(
        self, spark: SparkSession, files: FileSystem, root: str, stage: str, fingerprint: str
    ) -> None:
        self._spark, self._files = spark, files
        self._home = f"{root}/{FOLDER}/{stage}"
        self._ours = fingerprint

    def drop_others(self) -> None:
        """Remove what attempts at something else have left."""
        for name in self._files.list(self._home):
            if name != self._ours:
                self._files.remove(f"{self._home}/{name}")

    def remove(self) -> None:
        """Remove everything: the stage is done, or is to be computed anew."""
        self._files.remove(self._home)

    def whole(
        self, name: str, parts: Sequence[Callable[[], DataFrame]], *, told: Callable[[int], None]
    ) -> tuple[DataFrame, int]:
        """Write the parts that are not there yet, one after another.

        Args:
            name: of the table; another name for other parts.
            parts: made when their turn comes; all of one schema, the same rows at every attempt.
            told: called with the number of each part before it is computed.

        Returns:
            All rows, and how many parts were there already.
        """
        paths = [
            f"{self._home}/{self._ours}/{name}/{number:05d}-of-{len(parts):05d}"
            for number in range(len(parts))
        ]
        found = 0
        for number, (path, part) in enumerate(zip(paths, parts, strict=True)):
            if self._files.exists(f"{path}/_SUCCESS"):  # Spark writes it last
                found += 1
                continue
            told(number)
            part().write.mode("overwrite").parquet(path)
        return self._spark.read.parquet(*paths), found
