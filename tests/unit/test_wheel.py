"""The wheel carries what a Databricks job needs: every package, the settings files, the page, the entry points."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_is_whole(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = {
        f"basketlens/{path.relative_to(ROOT / 'lib' / 'basketlens').as_posix()}"
        for path in (ROOT / "lib").rglob("*.py")
    }
    assert source <= names
    assert {
        "basketlens/conf/base.toml",
        "basketlens/conf/databricks.toml",
        "basketlens/report/page.html",
    } <= names
    [points] = [name for name in names if name.endswith("entry_points.txt")]
    listed = zipfile.ZipFile(wheel).read(points).decode()
    assert all(
        f"basketlens-{job} = basketlens.entry:{job}" in listed for job in ("pipeline", "clean", "serve")
    )
