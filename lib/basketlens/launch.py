"""What submit.sh calls: checks everything that needs no cluster, then hands over to spark-submit."""

import itertools
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from basketlens import doctor, entry, preflight, settings_files
from basketlens.errors import BasketLensError, SettingsError
from basketlens.settings import Settings

_USAGE: Final = f"""\
usage: ./submit.sh JOB [--env NAME] [--set section.key=value ...] [--since DAY] [--until DAY] [--run-id ID] [--force] [--dry-run]
                   [-- spark-submit args]

jobs
  pipeline   every stage in order; a stage whose inputs, settings and code have not changed is skipped
  {"  ".join(entry.STAGE_ORDER)}   one stage alone
other
  test       the whole test suite            ./submit.sh test [pytest args]
  bench      benchmarks                      ./submit.sh bench [NAME]
  doctor     is this machine ready?

options
  --env NAME                settings of conf/NAME.toml over conf/base.toml (default: local)
  --set section.key=value   one setting, as a TOML value; may be repeated
  --since DAY               first day of sale that clean reads, as YYYY-MM-DD (clean.since)
  --until DAY               first day that it does not read any more (clean.until); with either, just these days are replaced
  --run-id ID               name of this run (default: time and four digits)
  --force                   run stages also when nothing has changed
  --dry-run                 print the effective settings and the spark-submit command, and stop
  -- ARGS                   go to spark-submit as they are

exit status: 0 done, 2 usage or settings, 3 data not good enough, 4 a fault worth retrying, 1 our bug
"""


def main(argv: Sequence[str]) -> int:
    """Run `submit.sh`'s JOB and return its exit status."""
    job, *rest = argv or ["--help"]
    if job in ("-h", "--help", "help"):
        sys.stdout.write(_USAGE)
        return 0
    try:
        if job == "doctor":
            return doctor.main()
        if job not in entry.JOBS:
            raise SettingsError(
                f"there is no job '{job}'.\n  Jobs: {', '.join(entry.JOBS)}, test, bench, doctor"
            )
        if any(option in ("-h", "--help") for option in rest):
            sys.stdout.write(_USAGE)
            return 0
        return _submit(job, rest)
    except BasketLensError as error:
        sys.stderr.write(f"basketlens {job}: {error}\n")
        return error.exit_status


def _submit(job: str, rest: Sequence[str]) -> int:
    own, spark_args = _split(rest)
    is_dry = "--dry-run" in own
    job_args = [arg for arg in own if arg != "--dry-run"]
    options = entry.parse(job, job_args)
    settings = settings_files.load_settings(options.env, options.assignments, os.environ)
    command = command_for(job, job_args, spark_args, settings)
    if is_dry:
        sys.stdout.write(_as_toml(settings_files.masked(settings)))
        sys.stdout.write(f"\n# spark-submit command\n{shlex.join(command)}\n")
        return 0
    if _is_one_machine(settings, spark_args):
        preflight.check(settings, entry.stages_of(job))
    return subprocess.run(command, env=_environment(), check=False).returncode


def _split(rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our arguments, and those behind `--`."""
    at = rest.index("--") if "--" in rest else len(rest)
    return list(rest[:at]), list(rest[at + 1 :])


def command_for(
    job: str, job_args: Sequence[str], spark_args: Sequence[str], settings: Settings
) -> list[str]:
    """The exact spark-submit command of a job.

    Raises:
        SettingsError: the properties file does not exist, or there is no spark-submit.
    """
    checkout = Path(__file__).resolve().parents[2]
    spark_conf = checkout / "conf" / "spark"
    properties = spark_conf / settings.spark.properties
    if not properties.is_file():
        known = ", ".join(sorted(f.name for f in spark_conf.glob("*.conf")))
        raise SettingsError(
            f"spark.properties = '{settings.spark.properties}' is not in {spark_conf}.\n  Known: {known}"
        )
    command = [_spark_submit(), "--properties-file", str(properties)]
    command += ["--master", settings.spark.master] if settings.spark.master else []
    if _is_one_machine(settings, spark_args):
        command += [
            "--driver-java-options",
            f"-Dlog4j2.configurationFile=file:{spark_conf / 'log4j2.properties'}",
        ]
    else:
        command += ["--py-files", str(_package_zip(checkout))]
        command += ["--files", settings.privacy.key_file] if settings.privacy.key_file else []
    return [*command, *spark_args, str(checkout / "jobs" / f"{job}.py"), *job_args]


def _is_one_machine(settings: Settings, spark_args: Sequence[str]) -> bool:
    """Whether driver and executors are this process: then this machine can be checked beforehand."""
    behind = dict(itertools.pairwise(spark_args)).get("--master", "")
    named = behind or settings.spark.master
    return named.startswith("local") or (not named and settings.spark.properties == "local.conf")


def _spark_submit() -> str:
    """`$SPARK_HOME/bin/spark-submit`, else the one of this environment's pyspark."""
    home = os.environ.get("SPARK_HOME")
    beside = Path(sys.executable).parent / "spark-submit"
    found = (
        f"{home}/bin/spark-submit"
        if home
        else str(beside)
        if beside.exists()
        else shutil.which("spark-submit")
    )
    if not found:
        raise SettingsError("spark-submit is not there.\n  Next: pip install pyspark, or set SPARK_HOME")
    return found


def _package_zip(checkout: Path) -> Path:
    """Our package and its settings files as a zip for executors; file times are fixed, so equal code is an equal zip."""
    target = checkout / "build" / "basketlens.zip"
    target.parent.mkdir(exist_ok=True)

    def add(archive: zipfile.ZipFile, folder: Traversable, inside: str) -> None:
        for entry_ in sorted(folder.iterdir(), key=lambda e: e.name):
            if entry_.is_dir() and entry_.name not in ("__pycache__", "spark", "locks"):
                add(archive, entry_, f"{inside}/{entry_.name}")
            elif entry_.name.endswith((".py", ".html", ".toml", ".typed")):
                archive.writestr(zipfile.ZipInfo(f"{inside}/{entry_.name}"), entry_.read_bytes())

    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        add(archive, resources.files("basketlens"), "basketlens")
        add(archive, settings_files.conf_dir(), "basketlens/conf")
    return target


def _environment() -> dict[str, str]:
    """The job's environment: this interpreter for driver and workers, and the terminal that only we can see."""
    environ = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    environ.setdefault("PYSPARK_PYTHON", sys.executable)
    environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    if sys.stdout.isatty():
        environ["BASKETLENS_TERMINAL"] = str(shutil.get_terminal_size().columns)
    return environ


def _as_toml(plain: dict[str, Any]) -> str:
    """Settings in the form in which they are written."""

    def value(found: Any) -> str:
        if isinstance(found, bool):
            return str(found).lower()
        if isinstance(found, str):
            escaped = found.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        return f"[{', '.join(map(value, found))}]" if isinstance(found, list) else str(found)

    def section(name: str, found: dict[str, Any]) -> str:
        own = [f"{_key(k)} = {value(v)}" for k, v in found.items() if not isinstance(v, dict)]
        inner = [section(f"{name}.{_key(k)}", v) for k, v in found.items() if isinstance(v, dict)]
        return "\n".join([f"[{name}]", *own, "", *inner])

    return "\n".join(section(name, found) for name, found in plain.items())


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else f'"{name}"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
