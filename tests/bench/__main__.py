"""`./submit.sh bench` lists the benchmarks, `./submit.sh bench NAME [options]` runs one."""

import runpy
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print(f"usage: ./submit.sh bench NAME [options]\nbenchmarks: {', '.join(NAMES)}")
        return 0 if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help") else 2
    name = sys.argv.pop(1)
    runpy.run_module(f"tests.bench.{name}", run_name="__main__")
    return 0


sys.exit(main())
