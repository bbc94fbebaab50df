"""`clean` on TPC-DS `store_sales` against a bare Spark job that reads it, drops exact duplicates and writes it.

    ./submit.sh bench clean [--factors 1,3,10] [--data FOLDER]

Log: store_sales; returns: store_returns, a feed of its own; catalogue: item; promotions: ss_promo_sk.  Both jobs run
in one Spark session, with the executor in a process of its own, so that the driver's heap is the driver's alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

LIB: Final = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
sys.path.insert(0, str(LIB))

import pyspark  # noqa: E402

os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))

from pyspark.sql import DataFrame, SparkSession  # noqa: E402

from basketlens import session  # noqa: E402 - after the path of the package
from basketlens.progress import PlainProgress  # noqa: E402
from basketlens.run import Run  # noqa: E402
from basketlens.settings import Settings  # noqa: E402
from basketlens.settings_files import load_settings  # noqa: E402
from tests.bench._heap import Heap  # noqa: E402

TABLES: Final = "store_sales,store_returns,item"
# Julian day numbers and seconds of the day.
TIME: Final = "=timestamp_seconds(({0}_date_sk - 2440588) * 86400L + {1}_time_sk)"
COLUMNS: Final = {
    "basket_id": "ss_ticket_number", "product_id": "ss_item_sk", "customer_id": "ss_customer_sk",
    "store_id": "ss_store_sk", "sold_at": TIME.format("ss_sold", "ss_sold"), "quantity": "ss_quantity",
    "amount": "ss_ext_sales_price", "promotion": "ss_promo_sk",
}  # fmt: skip
RETURNS: Final = {
    "basket_id": "sr_ticket_number", "product_id": "sr_item_sk", "customer_id": "sr_customer_sk",
    "store_id": "sr_store_sk", "sold_at": TIME.format("sr_returned", "sr_return"), "quantity": "sr_return_quantity",
    "amount": "sr_return_amt",
}  # fmt: skip
PRODUCTS: Final = {
    "product_id": "i_item_sk", "category": "i_class", "department": "i_category", "brand": "i_brand",
    "unit_cost": "i_wholesale_cost",
}  # fmt: skip
READ: Final = (
    "ss_ticket_number",
    "ss_item_sk",
    "ss_customer_sk",
    "ss_store_sk",
    "ss_sold_date_sk",
    "ss_sold_time_sk",
    "ss_quantity",
    "ss_ext_sales_price",
    "ss_promo_sk",
)  # fmt: skip - the columns that clean maps
EXECUTOR_MIB: Final = 8192


class Timed(NamedTuple):
    """One factor."""

    factor: int
    rows: int
    bare: float  # seconds, every column
    narrow: float  # seconds, the columns that clean maps
    clean: float  # seconds
    steps: dict[str, float]


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--factors", default="1,3,10", help="scale factors of TPC-DS")
    given.add_argument("--data", type=Path, help="where the TPC-DS tables are, or are to stay")
    given.add_argument("--partitions", type=int, default=32, help="of a shuffle, for both jobs")
    args = given.parse_args()
    factors = [int(text) for text in args.factors.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        data, work = args.data or Path(folder) / "tpcds", Path(folder)
        for factor in factors:
            generate(data / f"sf{factor}", factor)
        spark = started(work, args.partitions)
        heap = Heap(spark)
        warm_up(spark, data / f"sf{factors[0]}", work)
        results = [timed(spark, data / f"sf{factor}", factor, work) for factor in factors]
        show(results, heap.stop())
        spark.stop()
    return 0


def generate(folder: Path, factor: int) -> None:
    if (folder / "item.parquet").exists():
        return
    tool = Path(sys.executable).parent / "tpcgen-cli"
    began = time.monotonic()
    subprocess.run(
        [tool, "tpcds", "parquet", "-s", str(factor), f"--tables={TABLES}", f"--output-dir={folder}", "-q"],
        check=True,
    )
    print(f"factor {factor}: made in {time.monotonic() - began:.1f} s", flush=True)


def started(work: Path, partitions: int) -> SparkSession:
    made = SparkSession.builder.master(f"local-cluster[1,2,{EXECUTOR_MIB}]")
    for key, value in {
        "spark.driver.memory": "1g",
        "spark.executor.memory": f"{EXECUTOR_MIB}m",
        "spark.sql.shuffle.partitions": str(partitions),
        "spark.sql.autoBroadcastJoinThreshold": "64m",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.local.dir": str(work / "local"),
    }.items():
        made = made.config(key, value)
    made.getOrCreate()
    return session.start("bench clean")


def settings(data: Path, root: Path) -> Settings:
    mapped = [f'clean.columns.{ours}="{source}"' for ours, source in COLUMNS.items()]
    mapped += [f'clean.return_columns.{ours}="{source}"' for ours, source in RETURNS.items()]
    mapped += [f'clean.product_columns.{ours}="{source}"' for ours, source in PRODUCTS.items()]
    return load_settings(
        "base",
        [
            *mapped, f"input.transactions={data}/store_sales.parquet", f"input.returns={data}/store_returns.parquet",
            f"input.products={data}/item.parquet", "clean.name_template={i_product_name}, {i_class}, {i_category}",
            f"tables.root={root}", f"privacy.key_file={root.parent}/privacy.key", "privacy.create_key_file=true",
        ],
        {},
    )  # fmt: skip


def bare(rows: DataFrame, target: Path) -> float:
    began = time.monotonic()
    rows.dropDuplicates().write.mode("overwrite").parquet(str(target))
    return time.monotonic() - began


def cleaned(spark: SparkSession, data: Path, root: Path) -> tuple[float, int, dict[str, float]]:
    shutil.rmtree(root, ignore_errors=True)
    began = time.monotonic()
    [outcome] = Run(spark, settings(data, root), PlainProgress(), "bench").execute(("clean",))
    seconds = time.monotonic() - began
    manifest = json.loads((root / "_manifests" / "clean.json").read_text())
    return seconds, outcome.figures["rows_in"], {s["step"]: s["seconds"] for s in manifest["steps"]}


def warm_up(spark: SparkSession, data: Path, work: Path) -> None:
    """Both jobs once, so that neither pays for the start of Java and Python."""
    bare(spark.read.parquet(f"{data}/store_sales.parquet").limit(100_000), work / "bare")
    cleaned(spark, data, work / "tables")


def timed(spark: SparkSession, data: Path, factor: int, work: Path) -> Timed:
    sales = spark.read.parquet(f"{data}/store_sales.parquet")
    all_columns = bare(sales, work / "bare")
    narrow = bare(sales.select(*READ), work / "bare")
    shutil.rmtree(work / "bare")
    seconds, rows, steps = cleaned(spark, data, work / "tables")
    print(
        f"factor {factor}: bare {all_columns:.1f} s, narrow {narrow:.1f} s, clean {seconds:.1f} s", flush=True
    )
    return Timed(factor, rows, all_columns, narrow, seconds, steps)


def show(results: list[Timed], heap: int) -> None:
    print(
        f"\n{'factor':>6} {'rows in':>12} {'bare':>8} {'mapped':>8} {'clean':>8} {'ratio':>6} {'to mapped':>9} {'us/row':>7}"
    )
    for r in results:
        print(
            f"{r.factor:>6} {r.rows:>12,} {r.bare:>7.1f}s {r.narrow:>7.1f}s {r.clean:>7.1f}s {r.clean / r.bare:>6.2f}"
            f" {r.clean / r.narrow:>9.2f} {1e6 * r.clean / r.rows:>7.2f}"
        )
    print(f"\nlargest heap of the driver: {heap / (1 << 20):,.0f} MiB\n")
    for step in results[-1].steps:
        print(f"{step:<45} " + " ".join(f"{r.steps.get(step, 0):>7.1f}s" for r in results))


if __name__ == "__main__":
    sys.exit(main())
