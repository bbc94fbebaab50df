"""Commands as a user types them, and as the README writes them."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Half the CPU seconds of a job of half a minute; the first tier alone would have room for a fifth of the code, and a pipeline fills it.
SHORT_LIVED_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
_TESTS_OWN = ("PYTHONPATH", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")  # set for the Spark of this test run


def shell(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `command` in a folder where ./submit.sh is ours, with this test's own environment instead of a new one."""
    ours = folder / "submit.sh"
    if not ours.exists():
        ours.write_text(f'#!/usr/bin/env bash\nexec "{ROOT}/submit.sh" "$@"\n')
        ours.chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name not in _TESTS_OWN}
    environ["JAVA_TOOL_OPTIONS"] = SHORT_LIVED_JAVA
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env={**environ, "BASKETLENS_VENV": sys.prefix, **variables},
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


def readme_commands() -> list[str]:
    """Every command of the README's shell blocks, as written, comments included."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    joined = "".join(blocks).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip()]
