"""10,000 rows by hypothesis through `clean`, 1,000 at a time: `./submit.sh bench fuzz [--rows N] [--seed N]`."""

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

from pyspark.sql import SparkSession  # noqa: E402 - after the path of the package

from basketlens import session  # noqa: E402
from tests import fuzz  # noqa: E402
from tests.memory_io import MemoryIO  # noqa: E402

AT_ONCE: Final = 1000


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=10_000)
    given.add_argument("--seed", type=int, default=1)
    args = given.parse_args()
    SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", "2").config(
        "spark.ui.enabled", "false"
    ).config("spark.log.level", "ERROR").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark = session.start("bench fuzz")
    print(f"{'seed':>6} {'rows':>7} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as folder:
        key_file = Path(folder) / "key"
        key_file.write_text("correct horse battery staple")
        key_file.chmod(0o600)
        done, number = 0, args.seed
        while done < args.rows:
            rows = fuzz.drawn(fuzz.ROWS, examples=min(AT_ONCE, args.rows - done), number=number)
            began = time.monotonic()
            fuzz.check(lambda sources: MemoryIO(spark, sources), rows, key_file)
            print(f"{number:>6} {len(rows):>7,} {time.monotonic() - began:>8.1f}", flush=True)
            done, number = done + len(rows), number + 1
    print(f"{done:,} rows: none lost, no crash")
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
