"""Bitmaps against libraries that run on one machine: PyFIM (C) and mlxtend (Python)."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from basketlens import columns as c
from tests.bench._mine_ours import baskets_of, mined, raw_pairs, show, steps

MIN_COUNT: Final = 16
WANTED: Final = 118_404
MEMORY: Final = 12 << 30  # bytes of address space for mlxtend

# Runs in a process of its own: both may take more time or memory than there is.
MLXTEND: Final = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
import pandas as pd
from scipy.sparse import csr_matrix
import numpy as np
from mlxtend.frequent_patterns import fpgrowth
data = np.load({file!r})
codes, starts = data["codes"], data["starts"]
x = csr_matrix((np.ones(len(codes), bool), codes, starts))
frame = pd.DataFrame.sparse.from_spmatrix(x)
began = time.monotonic()
found = fpgrowth(frame, min_support=({count} - 0.5) / len(frame))
print(json.dumps([time.monotonic() - began, len(found)]))
"""


def pyfim(spark: SparkSession, folder: Path, args: argparse.Namespace) -> bool:
    """Every side gets the same baskets, in memory and as ints, and lists the itemsets of all sizes with counts."""
    import fim

    baskets = baskets_of(raw_pairs(spark))
    rows = baskets.select("product").toPandas()["product"]
    lists = [[int(item) for item in row] for row in rows]
    table, good = [], True
    for turn in range(1, args.runs + 1):
        run = mined(baskets, folder, min_count=MIN_COUNT, engine="bitmap", chosen=args.set)
        began = time.monotonic()
        theirs = fim.fpgrowth(lists, target="s", supp=-MIN_COUNT)
        took = time.monotonic() - began
        ours = named(run.sets, run.io.read("frequent_product"))
        same = ours == {tuple(sorted(items)): count for items, count in theirs} and len(ours) == WANTED
        good &= same
        table += [
            (f"turn {turn}: engine bitmap, guard included", run.seconds, f"{len(ours):,} itemsets"),
            (
                f"turn {turn}: PyFIM fpgrowth, one core",
                took,
                f"{len(theirs):,} itemsets, {'equal' if same else 'NOT EQUAL'}",
            ),
            (f"turn {turn}: 3 times PyFIM and 5 s", 3 * took + 5, ""),
        ]
    show([*table, *steps(run), *mlxtend(folder, lists, args.mlxtend_seconds)])
    return good


def named(sets: DataFrame, frequent: DataFrame) -> dict[tuple[int, ...], int]:
    """Item ids, ascending -> count."""
    item = {row["code"]: row[c.ITEM_ID] for row in frequent.collect()}
    return {tuple(sorted(item[code] for code in row[c.ITEMS])): row[c.COUNT] for row in sets.collect()}


def mlxtend(folder: Path, lists: list[list[int]], seconds: int) -> list[tuple[str, float, str]]:
    """Its fpgrowth on a sparse table of the same baskets, with limits of time and memory."""
    if not seconds:
        return []
    ids, codes = np.unique(np.concatenate([np.array(row) for row in lists]), return_inverse=True)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in lists])])
    file = folder / "baskets.npz"
    np.savez(file, codes=codes.astype(np.int32), starts=starts)
    program = MLXTEND.format(memory=MEMORY, file=str(file), count=MIN_COUNT)
    what = f"mlxtend fpgrowth, one core, {len(ids):,} columns"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return [(what, float(seconds), "stopped: out of time")]
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"signal {-done.returncode}"])[-1]
        return [(what, 0.0, f"failed with {MEMORY >> 30} GiB of address space: {said}")]
    took, found = json.loads(done.stdout)
    return [(what, took, f"{found:,} itemsets")]
