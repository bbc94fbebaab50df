"""`./submit.sh bench quality`: what each method is worth on real receipts, against the floors; mean of several seeds.

Reads `lines`, `products` and `embeddings` of a finished run below the root; exit status 1 when a floor is missed.
Choices fall on validation, figures are of the test weeks.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy: one seed, one core
LIB = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
sys.path.insert(0, str(LIB))

import pandas as pd  # noqa: E402 - after the threads are set
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from basketlens.evaluate.rows import MINUS, Row  # noqa: E402
from basketlens.evaluate.winners import winners  # noqa: E402
from basketlens.settings_files import load_settings  # noqa: E402
from tests.bench._quality_seed import of_seed  # noqa: E402

SHOWN = [
    ("baskets.test", "hr@10", "all"),
    ("baskets.test", "hr@50", "all"),
    ("baskets.test", "mrr", "all"),
    ("baskets.test", "ndcg@10", "all"),
    ("baskets.test", "hr@10", "repeat"),
    ("baskets.test", "hr@10", "explore"),
    ("pairs.test", "recall@10", "all"),
    ("pairs.test", "recall@50", "all"),
    ("pairs.test", "cold_in@50", "cold"),
]
FLOORS = {
    ("counts + attention", "pairs.test", "recall@10", "all"): 0.305,
    ("counts + attention", "pairs.test", "recall@50", "all"): 0.400,
    ("counts + attention", "pairs.test", "cold_in@50", "cold"): 0.12,
    ("counts + attention", "baskets.test", "hr@10", "all"): 0.123,
    ("ease", "baskets.test", "hr@10", "all"): 0.143,
    ("ease + attention", "baskets.test", "hr@10", "all"): 0.150,
    ("ease + attention + history", "baskets.test", "hr@10", "all"): 0.185,
}
ABOVE = f"ease + attention{MINUS}ease"  # its interval must lie above 0 for every seed


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--root", default="out/tables", help="folder of the tables")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--workers", type=int, default=2, help="seeds at once, one core each")
    asked.add_argument("--validation-days", type=int, default=28)
    asked.add_argument("--test-days", type=int, default=58)
    asked.add_argument(
        "--measured", action="store_true", help="show the table `evaluation` below the root; train nothing"
    )
    args = asked.parse_args()
    if args.measured:
        return int(not show_all(rows_of(args.root)))
    began, rows = time.monotonic(), []
    settings = load_settings("base", [], {})  # once: all seeds by the same
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        days = (args.validation_days, args.test_days)
        running = {pool.submit(of_seed, args.root, seed, days, settings): seed for seed in range(args.seeds)}
        for done in as_completed(running):
            rows += done.result()
            print(f"\nseed {running[done]}, {time.monotonic() - began:.0f} s after the start", flush=True)
            show(done.result())
    print(f"\n{args.seeds} seeds, {time.monotonic() - began:.0f} s")
    return int(not show_all(rows))


def rows_of(root: str) -> list[Row]:
    """What the job itself has measured."""
    return [Row(*row) for row in pd.read_parquet(f"{root}/evaluation").itertuples(index=False, name=None)]


def show_all(rows: list[Row]) -> bool:
    """Print everything; whether all floors are reached."""
    show(rows)
    show_choices(rows)
    return show_floors(rows)


def show(rows: list[Row]) -> None:
    """One line a method, means over the seeds."""
    values = by_key(rows)
    table = Table(title="test, mean of seeds" if len({r.seed for r in rows}) > 1 else "test")
    table.add_column("method")
    for task, metric, of_class in SHOWN:
        table.add_column(f"{task[0].upper()} {metric}\n{of_class}", justify="right")
    for method in dict.fromkeys(r.method for r in rows if r.task.endswith(".test") and MINUS not in r.method):
        cells = (values.get((method, *column)) for column in SHOWN)
        table.add_row(method, *("" if cell is None else f"{fmean(cell):.4f}" for cell in cells))
    Console(width=160).print(table)


def show_choices(rows: list[Row]) -> None:
    """What won on validation, what it is worth against the next, and how far attention is a probability."""
    for winner in winners(rows).values():
        print(f"{winner.task}: best {winner.best}; used {winner.usable} {dict(winner.parameters)}")
    for row in rows:
        if MINUS in row.method:
            print(
                f"  seed {row.seed}  {row.method}: {row.value:+.4f} [{row.low:+.4f}, {row.high:+.4f}] {row.metric}"
            )
    error = by_key(rows)["attention", "calibration.test", "calibration_error", "all"]
    print(f"attention, expected calibration error: {fmean(error):.3f}")


def show_floors(rows: list[Row]) -> bool:
    """Whether every floor is held."""
    values, held = by_key(rows), True
    for key, floor in FLOORS.items():
        found = fmean(values[key])
        held &= found >= floor
        print(
            f"{'ok    ' if found >= floor else 'MISSED'} {', '.join(key):<60} {found:.4f}, floor {floor:.3f}"
        )
    lows = [r.low for r in rows if r.method == ABOVE]
    is_above = min(lows) > 0
    print(
        f"{'ok    ' if is_above else 'MISSED'} {ABOVE}, lower ends {', '.join(f'{low:+.4f}' for low in lows)}"
    )
    return held and is_above


def by_key(rows: list[Row]) -> dict[tuple[str, str, str, str], list[float]]:
    values = defaultdict(list)
    for row in rows:
        values[row.method, row.task, row.metric, row.of_class].append(row.value)
    return values


if __name__ == "__main__":
    sys.exit(main())
