"""Time and memory of the stage `link` as the catalogue grows; docs/scale.md reads its table.

    ./submit.sh bench scale [--cases 5000x384 20000x384 80000x384 200000x64] [--k 50] [--memory-mib 2048]

Vectors are random, of length 1.  Each case runs the stage as the job does (read, cut into blocks, shuffle, attend,
write `links` and `link_stats`) in one local Spark session of two cores.  The memory is that of the largest Python
worker, looked at ten times a second.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from basketlens.link import stage
from basketlens.settings_files import load_settings
from tests.unit.folder_io import FolderIO

CHUNK = 10_000  # vectors drawn at a time


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--cases", nargs="+", default=["5000x384", "20000x384", "80000x384", "200000x64"])
    given.add_argument("--k", type=int, default=50, help="neighbours kept")
    given.add_argument("--memory-mib", type=int, default=2048, help="link.memory_mib")
    args = given.parse_args()
    sets = [f"link.top_k={args.k}", f"link.memory_mib={args.memory_mib}", "link.device='cpu'"]
    settings = load_settings("local", sets, {})
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.master("local[2]").config("spark.driver.memory", "4g").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    print(
        f"{'n':>9}{'d':>5}{'blocks':>8}{'keys held':>11}{'seconds':>9}{'attention':>11}{'worker MiB':>12}",
        flush=True,
    )
    for case in ["2000x64", *args.cases]:  # the first warms up
        n, d = map(int, case.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            write_inputs(Path(folder) / "published", n, d)
            io = TimedIO(spark, Path(folder))
            with LargestWorker() as largest:
                began = time.perf_counter()
                stage.run(io, settings)
                seconds = time.perf_counter() - began
            f = io.figures
            print(
                f"{n:>9,}{d:>5}{f['blocks']:>8}{f['key_shard']:>11,}{seconds:>9.1f}{io.attention:>11.1f}"
                f"{largest.mib:>12.0f}",
                flush=True,
            )
    return 0


class TimedIO(FolderIO):
    """Tells how long the attention itself took."""

    attention = 0.0

    def write_parts(self, name: str, parts, *, doing: str) -> DataFrame:
        began = time.perf_counter()
        written = super().write_parts(name, parts, doing=doing)
        self.attention = time.perf_counter() - began
        return written


def write_inputs(folder: Path, n: int, d: int) -> None:
    """`items`, `products` and `embeddings` of n names."""
    draw = np.random.default_rng(0)
    for start in range(0, n, CHUNK):
        ids = [f"{i:032x}" for i in range(start, min(start + CHUNK, n))]
        vectors = draw.normal(size=(len(ids), d)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        lists = pa.ListArray.from_arrays(np.arange(len(ids) + 1, dtype=np.int32) * d, vectors.ravel())
        no_text = pa.nulls(len(ids), pa.string())
        tables = {
            "items": {
                "item_id": ids, "level": ["name"] * len(ids), "item_name": ids, "category": no_text,
                "department": no_text, "lines": pa.array([1] * len(ids), pa.int64()),
            },
            "products": {"product_id": ids, "name_hash": ids},
            "embeddings": {"name_hash": ids, "embedding": lists},
        }  # fmt: skip
        for name, columns in tables.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(columns), folder / name / f"{start}.parquet")


class LargestWorker:
    """Resident memory of the largest Python worker while this is open, MiB."""

    mib = 0.0

    def __enter__(self) -> "LargestWorker":
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._is_done.wait(0.1):
            for process in me.children(recursive=True):
                try:
                    if "pyspark" in " ".join(process.cmdline()) and "java" not in process.name():
                        self.mib = max(self.mib, process.memory_info().rss / 2**20)
                except psutil.Error:  # it ended
                    continue


if __name__ == "__main__":
    sys.exit(main())
