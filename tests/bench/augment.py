"""`./submit.sh bench augment`: what each way to augment is worth on real receipts, against training without any.

Reads `lines`, `products` and `embeddings` of a finished run below the root.  Choose by the figures of validation; those
of test are for the record.  Differences are paired, with their 95 % intervals over queries.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy: one training, one core
LIB = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
sys.path.insert(0, str(LIB))

from rich.console import Console  # noqa: E402 - after the threads are set
from rich.table import Table  # noqa: E402

from basketlens.evaluate.bootstrap import estimate  # noqa: E402
from basketlens.settings_files import load_settings  # noqa: E402
from tests.bench._augment_one import Figures, figures_of  # noqa: E402

NOTHING = "nothing"
WAYS = {  # those that are trained on baskets first: they take longest
    NOTHING: [],
    "tail baskets": ["finetune.augment.tail_baskets=1.0"],
    "words replaced": ["finetune.augment.replace=0.5"],
    "words dropped": ["finetune.augment.drop=0.2"],
    "parts shuffled": ["finetune.augment.shuffle=1.0"],
}
WITH_BASKETS = {NOTHING, "tail baskets"}
SHOWN = [
    ("pairs", "recall@10", "all"),
    ("pairs", "recall@50", "all"),
    ("pairs", "cold_in@50", "cold"),
    ("pairs", "found@50", "tail"),
    ("baskets", "hr@10", "all"),
    ("baskets", "hr@10", "tail"),
]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--root", default="out/tables", help="folder of the tables")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--workers", type=int, default=2, help="trainings at once, one core each")
    asked.add_argument(
        "--only", choices=[way for way in WAYS if way != NOTHING], help="this one, and nothing"
    )
    asked.add_argument("--set", action="append", default=[], help="section.key=value, for every training")
    asked.add_argument(
        "--all-baskets", action="store_true", help="train on baskets for every way; takes longer"
    )
    asked.add_argument("--validation-days", type=int, default=28)
    asked.add_argument("--test-days", type=int, default=58)
    args = asked.parse_args()
    ways = [NOTHING, args.only] if args.only else list(WAYS)
    began, days = time.monotonic(), (args.validation_days, args.test_days)
    found: dict[str, Figures] = {}
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        running = {
            pool.submit(
                figures_of, args.root, args.seed, days, load_settings("base", [*WAYS[way], *args.set], {}),
                with_baskets=args.all_baskets or way in WITH_BASKETS,
            ): way
            for way in ways
        }  # fmt: skip
        for done in as_completed(running):
            found[running[done]] = done.result()
            print(f"{running[done]}: {time.monotonic() - began:.0f} s after the start", flush=True)
    for part in ("validation", "test"):
        show(part, {way: found[way] for way in ways}, args.seed)
    return 0


def show(part: str, found: dict[str, Figures], seed: int) -> None:
    """One line a method and way; below a figure, what it is above that of nothing, and the interval."""
    table = Table(title=f"{part}, seed {seed}", show_lines=True)
    table.add_column("method")
    table.add_column("augmented by")
    for _, metric, of_class in SHOWN:
        table.add_column(f"{metric}\n{of_class}", justify="right")
    methods = [(task, method) for task, method in found[NOTHING] if task.endswith(part)]
    for task, method in methods:
        for way, figures in found.items():
            if (task, method) in figures:
                cells = [
                    cell(found, way, (task, method), metric, of_class, seed)
                    if task.startswith(of_task)
                    else ""
                    for of_task, metric, of_class in SHOWN
                ]
                table.add_row(method, way, *cells)
    Console(width=170).print(table)


def cell(
    found: dict[str, Figures], way: str, key: tuple[str, str], metric: str, of_class: str, seed: int
) -> str:
    mine, wanted = found[way][key].of(metric, of_class)
    value = f"{mine.sum() / wanted.sum():.4f}"
    if way == NOTHING:
        return value
    of = estimate(mine - found[NOTHING][key].of(metric, of_class)[0], wanted, resamples=1000, seed=seed)
    return f"{value} {of.value[0]:+.4f}\n[{of.low[0]:+.4f}, {of.high[0]:+.4f}]"


if __name__ == "__main__":
    sys.exit(main())
