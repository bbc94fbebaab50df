"""Parts of the mining benchmark that need Spark alone."""

import argparse
import time
from pathlib import Path
from typing import Final

from pyspark.ml.fpm import FPGrowth
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import LimitError
from basketlens.mine import stage
from basketlens.mine.itemsets import with_flags
from tests.bench._heap import Heap
from tests.bench._mine_ours import BASKETS, baskets_of, mined, raw_pairs, show, sizes_of, steps
from tests.unit.mine.local_io import LocalIO, settings_in

AT_47: Final = {1: 6723, 2: 6165, 3: 846, 4: 3}  # PyFIM's itemsets of each size
AT_10: Final = 2_108_512
MIB: Final = 1 << 20


def plain(spark: SparkSession, folder: Path, args: argparse.Namespace) -> bool:
    """Ours and FP-growth take turns on the same cached baskets; the last turn of each is compared."""
    baskets = baskets_of(raw_pairs(spark))
    share, partitions = (47 - 0.5) / BASKETS, baskets.rdd.getNumPartitions()
    rows, good = [], True
    for turn in range(1, args.runs + 1):
        ours = mined(baskets, folder, min_count=47, engine="mllib", chosen=args.set)
        sizes = sizes_of(ours.sets)
        good &= sizes == AT_47
        began = time.monotonic()
        theirs = FPGrowth(itemsCol="product", minSupport=share).fit(baskets).freqItemsets.count()
        took = time.monotonic() - began
        good &= theirs == sum(AT_47.values())
        rows += [
            (f"turn {turn}: ours, engine mllib, guard included", ours.seconds, f"{sizes}"),
            *(steps(ours) if turn == args.runs else ()),
            (
                f"turn {turn}: plain FP-growth ({partitions} partitions, the default)",
                took,
                f"{theirs:,} itemsets",
            ),
            (f"turn {turn}: ratio {took / ours.seconds:.1f}", took - ours.seconds, "difference"),
        ]
        show(
            rows[-3:]
            if turn < args.runs
            else [row for row in rows if row[0].startswith((f"turn {turn}", " "))]
        )
    return good


def scale(spark: SparkSession, folder: Path, args: argparse.Namespace) -> bool:
    """Ten copies of every basket with their own products: the same itemsets, each ten times."""
    pairs = raw_pairs(spark)
    shifted = pairs.crossJoin(spark.range(10).select(F.col("id").cast("int").alias("copy"))).select(
        F.concat_ws("-", c.BASKET_ID, "copy").alias(c.BASKET_ID),
        (F.col(c.PRODUCT_ID) + F.col("copy") * 100_000_000).alias(c.PRODUCT_ID),
    )
    times, rows, good = {}, [], True
    for factor, data in ((1, pairs), (10, shifted)):
        baskets = baskets_of(data)
        runs = args.runs if factor == 1 else 1
        heap = Heap(spark)
        for _ in range(runs):
            run = mined(baskets, folder, min_count=47, engine="mllib", chosen=args.set)
        sizes, most = sizes_of(run.sets), heap.stop()
        good &= sizes == {size: count * factor for size, count in AT_47.items()}
        times[factor] = run.seconds
        rows += [
            (f"{factor} times the baskets", run.seconds, f"driver heap {most / MIB:,.0f} MiB, {sizes}"),
            *steps(run),
        ]
        baskets.unpersist()
    show(rows)
    print(f"10 times the data: {times[10] / times[1]:.1f} times the time")
    return good


def huge(spark: SparkSession, folder: Path, args: argparse.Namespace) -> bool:
    """One basket of 6,000 products and 30 of 420 to 1,000, from those that are sold most and least, among the others."""
    pairs = raw_pairs(spark)
    ids = pairs.groupBy(c.PRODUCT_ID).count().orderBy(F.desc("count"), c.PRODUCT_ID).limit(20_000).toPandas()
    products = [int(product) for product in ids[c.PRODUCT_ID]]
    extra = [("huge", product) for product in products[:6000]]
    extra += [
        (f"large-{i}", product) for i in range(30) for product in products[i :: 20 - i % 10][: 420 + 20 * i]
    ]
    added = pairs.unionByName(spark.createDataFrame(extra, f"{c.BASKET_ID} string, {c.PRODUCT_ID} int"))
    normal, larger = baskets_of(pairs), baskets_of(added)
    rows = []
    for turn in range(1, args.runs + 1):
        for what, baskets in (("as they are", normal), ("with 31 huge baskets", larger)):
            run = mined(baskets, folder, min_count=47, engine="mllib", chosen=args.set)
            rows.append((f"turn {turn}: {what}", run.seconds, f"{sizes_of(run.sets)}"))
        print(f"turn {turn}: {rows[-1][1] / rows[-2][1] - 1:+.1%}", flush=True)
    show(rows)
    return True


def low(spark: SparkSession, folder: Path, args: argparse.Namespace) -> bool:
    """What the guard says of 10 baskets, and what is there when it is told to go on."""
    baskets = baskets_of(raw_pairs(spark))
    for engine in ("mllib", "bitmap"):
        began = time.monotonic()
        try:
            mined(baskets, folder, min_count=10, engine=engine, chosen=args.set)
            print("WRONG: the guard let it pass")
        except LimitError as stopped:
            print(f"{engine}, stopped after {time.monotonic() - began:.1f} s: {stopped}\n", flush=True)
    rows = []
    for _ in range(args.runs):
        run = mined(
            baskets, folder, min_count=10, engine="bitmap", chosen=[*args.set, "mine.max_itemsets=10000000"]
        )
        rows.append(
            ("engine bitmap, all sizes", run.seconds, f"{sum(sizes_of(run.sets).values()):,} itemsets")
        )
    began = time.monotonic()
    flags = run.io.write("flagged", with_flags(run.sets), doing="marking closed and maximal itemsets", measures={
        "closed": F.sum(F.col(c.IS_CLOSED).cast("int")), "maximal": F.sum(F.col(c.IS_MAXIMAL).cast("int"))
    })  # fmt: skip
    found = f"{flags.measures['closed']:,} closed, {flags.measures['maximal']:,} maximal of {flags.rows:,}"
    show([*rows, *steps(run)[:-1], ("closed and maximal flags", time.monotonic() - began, found)])
    print(f"foreseen: {run.figures['expected_itemsets']:,}")
    return flags.rows == AT_10


def whole_stage(spark: SparkSession, folder: Path, args: argparse.Namespace) -> bool:
    """From lines to rules."""
    lines = raw_pairs(spark).select(c.BASKET_ID, F.col(c.PRODUCT_ID).cast("string").alias(c.PRODUCT_ID))
    good = True
    for turn in range(1, args.runs + 1):
        good &= _stage(spark, folder, lines, args.set, f"turn {turn}: ")
    return good


def _stage(spark: SparkSession, folder: Path, lines: DataFrame, chosen: list[str], label: str) -> bool:
    settings = settings_in(folder, "mine.levels=['product']", "mine.min_count=47", *chosen)
    io = LocalIO(spark, settings, {"lines": lines})
    began = time.monotonic()
    stage.run(io, settings)
    seconds = time.monotonic() - began
    sizes = {
        row[c.SIZE]: row["count"] for row in sorted(io.read("itemsets").groupBy(c.SIZE).count().collect())
    }
    show(
        [
            *((f"{label}{doing}", took, f"{n:,} rows") for _, doing, took, n in io.steps),
            (f"{label}all", seconds, f"{sizes}"),
        ]
    )
    return sizes == AT_47 or bool(chosen)
