"""The one adapter to the JVM: Hadoop's file systems, and how many tasks run at once.

Everything else in the package is DataFrame API only.
"""

from typing import Any

from pyspark.sql import SparkSession


class FileSystem:
    """Moves of whole folders and small text files below a root, by Hadoop's `FileSystem` of that root."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        jvm: Any = spark._jvm
        self._jvm = jvm
        self._path = jvm.org.apache.hadoop.fs.Path
        self._fs = self._path(root).getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return bool(self._fs.exists(self._path(path)))

    def list(self, path: str) -> list[str]:
        """Names of a folder's direct children, sorted; none when it is not there."""
        if not self.exists(path):
            return []
        return sorted(str(child.getPath().getName()) for child in self._fs.listStatus(self._path(path)))

    def move(self, source: str, target: str) -> None:
        """Rename a folder; the target must not exist.

        Raises:
            OSError: the storage refused.
        """
        self._fs.mkdirs(self._path(target).getParent())
        if not self._fs.rename(self._path(source), self._path(target)):
            raise OSError(f"could not move {source} to {target}")

    def remove(self, path: str) -> None:
        """Delete a file or folder and all in it; nothing happens when it is not there."""
        self._fs.delete(self._path(path), True)

    def copy_in(self, folder: str, target: str) -> None:
        """Copy a folder of this machine's disk; the target must not exist."""
        self._fs.mkdirs(self._path(target).getParent())
        self._fs.setWriteChecksum(False)  # its files would stand among those copied
        try:
            self._fs.copyFromLocalFile(False, True, self._path(f"file://{folder}"), self._path(target))
        finally:
            self._fs.setWriteChecksum(True)

    def read_text(self, path: str) -> str:
        """A small UTF-8 file as a string."""
        stream = self._fs.open(self._path(path))
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def write_text(self, path: str, text: str) -> None:
        """Write a small UTF-8 file: first beside, then renamed over, so that nobody reads a half."""
        beside = f"{path}.writing"
        stream = self._fs.create(self._path(beside), True)
        try:
            stream.write(bytearray(text.encode("utf-8")))
        finally:
            stream.close()
        self.remove(path)
        self.move(beside, path)


def default_parallelism(spark: SparkSession) -> int:
    """Tasks that the cluster runs at once."""
    return int(spark.sparkContext.defaultParallelism)


def slots(spark: SparkSession) -> int:
    """Tasks that fit the executors that are there now: what Spark itself asks before it starts tasks that need each other."""
    context: Any = spark._jsparkSession.sparkContext()
    return int(context.maxNumConcurrentTasks(context.resourceProfileManager().defaultResourceProfile()))
