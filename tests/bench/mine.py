"""Mining on all Complete Journey baskets (raw distinct basket and product pairs, level product), against others.

    ./submit.sh bench mine --part plain|pyfim|scale|huge|low|stage [--runs N] [--set KEY=VALUE ...]

plain   min_count 47, engine mllib, against plain MLlib FP-growth with its defaults, in one Spark session
pyfim   min_count 16, engine bitmap, against PyFIM's fpgrowth (one core) and mlxtend's, equal set for set, count for count
scale   min_count 47, once and ten times the baskets (other ids), with the driver's heap
huge    min_count 47, with one basket of 6,000 items and 30 of 400 to 1,000 more
low     min_count 10: what the guard says, and how many of the 2,108,512 itemsets are closed
stage   min_count 47: the whole stage with its steps, rules included

PyFIM is not in the lock files: `pip install pyfim` into the same environment.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

LIB: Final = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
sys.path.insert(0, str(LIB))

import pyspark  # noqa: E402

os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))

from tests.bench import _mine_others as others  # noqa: E402 - after the path of the package
from tests.bench import _mine_parts as parts  # noqa: E402
from tests.bench._mine_ours import started  # noqa: E402


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--part", choices=["plain", "pyfim", "scale", "huge", "low", "stage"], default="stage")
    given.add_argument("--runs", type=int, default=3, help="of each side; the first also warms Java up")
    given.add_argument(
        "--mlxtend-seconds", type=int, default=300, help="after which mlxtend is stopped; 0 = without it"
    )
    given.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="settings, as of submit.sh"
    )
    args = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spark = started(Path(folder), own_executor=args.part == "scale")
        part = {
            "plain": parts.plain, "pyfim": others.pyfim, "scale": parts.scale, "huge": parts.huge, "low": parts.low,
            "stage": parts.whole_stage,
        }[args.part]  # fmt: skip
        good = part(spark, Path(folder), args)
        spark.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
