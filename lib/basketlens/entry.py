"""argv -> settings -> session -> stages -> exit status.  What spark-submit and Databricks wheel tasks call."""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn

from basketlens import settings_files
from basketlens.errors import BasketLensError, SettingsError

STAGE_ORDER: Final = ("clean", "embed", "finetune", "link", "mine", "report", "serve")
# Spark prints an analysis error as JSON before it raises it; the user gets it once, in our words.
_ECHOES: Final = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
JOBS: Final = ("pipeline", *STAGE_ORDER)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(
            f"{message}\n  Options: --env NAME, --set SECTION.KEY=VALUE, --since DAY, --until DAY, --run-id ID, --force, --dry-run"
        )


def parse(job: str, argv: Sequence[str]) -> argparse.Namespace:
    """The options that every job takes, shared with the launcher.

    Raises:
        SettingsError: an option that does not exist, or one without its value.
    """
    options = _Parser(prog=f"basketlens {job}", description=__doc__, allow_abbrev=False)
    options.add_argument(
        "--env", default="local", metavar="NAME", help="settings of conf/NAME.toml (default: local)"
    )
    options.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="assignments",
        help="one setting, as a TOML value; may be repeated",
    )  # fmt: skip
    for end, meaning in (("since", "first day of sale to read"), ("until", "first day not to read any more")):
        options.add_argument(
            f"--{end}", action="append", metavar="DAY", dest="assignments", type=f"clean.{end}={{}}".format,
            help=f"{meaning}, YYYY-MM-DD: short for --set clean.{end}=DAY",
        )  # fmt: skip
    options.add_argument(
        "--run-id", default="", metavar="ID", help="name of this run (default: time and four digits)"
    )
    options.add_argument(
        "--force", action="store_true", help="run every stage, also those whose inputs have not changed"
    )
    return options.parse_args(argv)


def stages_of(job: str) -> tuple[str, ...]:
    """The stages that a job runs."""
    return STAGE_ORDER if job == "pipeline" else (job,)


def main(job: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a job and leave with its exit status: 0 done; 2, 3, 4 with one message; 1 with a traceback, our bug."""
    sys.exit(status_of(job, sys.argv[1:] if argv is None else argv))


def status_of(job: str, argv: Sequence[str]) -> int:
    """Run a job; every error becomes an exit status here and nowhere else."""
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    for name in _ECHOES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        _run(job, argv)
    except BasketLensError as error:
        print(f"\nbasketlens {job}: {error}", file=sys.stderr)  # noqa: T201 - the one place that speaks of errors
        return error.exit_status
    except KeyboardInterrupt:
        print(f"\nbasketlens {job}: stopped; the tables of the last good run are untouched", file=sys.stderr)  # noqa: T201
        return 130
    except Exception:  # whatever else happens is our bug, and the traceback says where
        traceback.print_exc()
        return 1
    return 0


def _run(job: str, argv: Sequence[str]) -> None:
    options = parse(job, argv)
    settings = settings_files.load_settings(options.env, options.assignments, os.environ)
    # Imported here, so that a wrong setting is reported before Spark and pandas are loaded.
    from basketlens import preflight, progress, run, session, summary

    preflight.check(settings, stages_of(job))
    runner = run.Run(
        session.start(job),
        settings,
        progress.for_output(),
        options.run_id or run.new_run_id(),
        force=options.force,
    )
    outcomes = runner.execute(stages_of(job))
    summary.show(outcomes, runner.tables.root)


def pipeline() -> None:
    """Entry point of the wheel."""
    main("pipeline")


def clean() -> None:
    """Entry point of the wheel."""
    main("clean")


def embed() -> None:
    """Entry point of the wheel."""
    main("embed")


def finetune() -> None:
    """Entry point of the wheel."""
    main("finetune")


def link() -> None:
    """Entry point of the wheel."""
    main("link")


def mine() -> None:
    """Entry point of the wheel."""
    main("mine")


def report() -> None:
    """Entry point of the wheel."""
    main("report")


def serve() -> None:
    """Entry point of the wheel."""
    main("serve")
