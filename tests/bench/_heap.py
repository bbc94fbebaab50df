"""How large the driver's heap became."""

import threading

from pyspark.sql import SparkSession


class Heap:
    """The largest heap of the driver that was seen, looked at once a second, garbage included."""

    def __init__(self, spark: SparkSession) -> None:
        self._bean = spark._jvm.java.lang.management.ManagementFactory.getMemoryMXBean()
        self._most, self._stopped = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(1):
            self._most = max(self._most, int(self._bean.getHeapMemoryUsage().getUsed()))

    def stop(self) -> int:
        """Bytes."""
        self._stopped.set()
        self._thread.join()
        return self._most
