"""Is this machine ready?  Each check is one line, and what is wrong says what to do."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from basketlens import preflight, settings_files
from basketlens.errors import BasketLensError
from basketlens.settings import Settings


def main() -> int:
    """Print every check; 0 when all pass, 2 otherwise."""
    wrong = 0
    for name, check in _CHECKS.items():
        try:
            result = check()
        except (
            BasketLensError,
            OSError,
            subprocess.SubprocessError,
            importlib.metadata.PackageNotFoundError,
        ) as error:
            wrong += 1
            sys.stdout.write(f"WRONG  {name:<10} {error}\n")
        else:
            sys.stdout.write(f"ok     {name:<10} {result}\n")
    return 2 if wrong else 0


def _python() -> str:
    return f"{sys.version.split()[0]}, {sys.executable}"


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java") or "java"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True, timeout=60).stderr
    return f"{said.splitlines()[0]}, {java}"


def _packages() -> str:
    names = ("pyspark", "torch", "transformers", "pandas", "pyarrow")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _model() -> str:
    return str(preflight.check_model_folder(_local().embed.model))


def _inputs() -> str:
    settings = _local()
    preflight.check(settings, ("clean",))
    return f"{settings.input.transactions}; tables in {settings.tables.root}"


def _device() -> str:
    import torch

    return f"cuda: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "cpu (no CUDA device)"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / preflight.GIB
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {shutil.disk_usage('.').free / preflight.GIB:.0f} GiB free here"


def _local() -> Settings:
    return settings_files.load_settings("local", (), os.environ)


_CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "java": _java,
    "packages": _packages,
    "machine": _machine,
    "device": _device,
    "model": _model,
    "inputs": _inputs,
}
