"""The README's first command on all real receipts: seconds of each stage, resident memory of all processes, and a second run."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]


def timed(root: Path, run_id: str) -> tuple[float, float]:
    """Seconds and peak GiB resident (RSS summed over all processes, shared pages counted in each)."""
    began, peak = time.monotonic(), 0
    command = [str(ROOT / "submit.sh"), "pipeline", "--set", f"tables.root={root}", "--run-id", run_id]
    job = subprocess.Popen(
        command, env={**os.environ, "BASKETLENS_VENV": sys.prefix}, stdout=subprocess.DEVNULL
    )
    watched = psutil.Process(job.pid)
    while job.poll() is None:
        resident = 0
        for process in [watched, *watched.children(recursive=True)]:
            try:
                resident += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, resident)
        time.sleep(0.5)
    if job.returncode:
        sys.exit(f"the pipeline left with status {job.returncode}")
    return time.monotonic() - began, peak / 2**30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--root", type=Path, default=None, help="keep the tables here (default: a folder that is removed)"
    )
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = chosen.root or Path(temporary) / "tables"
        measured = {run_id: timed(root, run_id) for run_id in ("first", "second")}
        runs = pd.read_parquet(root / "runs")
        table = Table(title="./submit.sh pipeline")
        for head in ("", "first run", "second run"):
            table.add_column(head, justify="right" if head else "left")
        for stage in runs[runs.run_id == "first"].sort_values("started_at").stage:
            by_run = runs[runs.stage == stage].set_index("run_id")
            cells = (f"{by_run.loc[r].seconds:.1f} s, {by_run.loc[r].status}" for r in ("first", "second"))
            table.add_row(stage, *cells)
        table.add_row("all, with start and stop", *(f"{measured[r][0]:.1f} s" for r in ("first", "second")))
        table.add_row(
            "peak resident, all processes", *(f"{measured[r][1]:.2f} GiB" for r in ("first", "second"))
        )
        Console().print(table)


if __name__ == "__main__":
    main()
