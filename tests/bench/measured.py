"""Seconds of what is measured again on the baskets: `python -m tests.bench.measured TABLES`.

TABLES is a folder with `lines` and `products` of a run of clean on Complete Journey.  Each level is mined at 47
baskets with the settings given by `--set`; the steps that measure again are shown beside the whole stage.
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

from pyspark.sql import SparkSession  # noqa: E402

from basketlens.mine import stage  # noqa: E402 - after the path of the package
from tests.unit.mine.local_io import LocalIO, settings_in  # noqa: E402


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("tables", type=Path)
    given.add_argument("--levels", nargs="+", default=["name", "product"])
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
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    inputs = {name: spark.read.parquet(str(args.tables / name)) for name in ("lines", "products")}
    for level in args.levels:
        with tempfile.TemporaryDirectory() as folder:
            settings = settings_in(Path(folder), f"mine.levels=['{level}']", "mine.min_count=47", *args.set)
            io = LocalIO(spark, settings, inputs)
            began = time.monotonic()
            stage.run(io, settings)
            print(f"level {level}: {time.monotonic() - began:.1f} s, {io.figures}")
            for _, doing, seconds, rows in io.steps:
                print(f"  {doing:<60} {seconds:>7.2f} s {rows:>10,} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
