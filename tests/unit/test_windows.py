"""Windows of days: what is inside, in Python and in Spark alike; from the command line to the settings."""

import tomllib
from datetime import date

import pytest
from pyspark.sql import functions as F

from basketlens import entry, launch
from basketlens.errors import SettingsError
from basketlens.settings_files import load_settings
from basketlens.windows import DayWindow
from tests.builders import settings

DAYS = (date(2025, 1, 30), date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 2), None)
WINDOWS = {
    "whole": ((), DAYS, None),
    "both-ends": (("clean.since=2025-01-31", "clean.until=2025-02-02"), (*DAYS[1:3], None), 2),
    "since": (("clean.since=2025-02-01",), DAYS[2:], None),
    "until": (('clean.until="2025-01-31"',), (DAYS[0], None), None),
    "one-day": (("clean.since=2025-02-01", "clean.until=2025-02-02"), (DAYS[2], None), 1),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_what_is_inside(case):
    assignments, inside, length = WINDOWS[case]
    window = DayWindow.of(settings(*assignments).clean)
    assert tuple(day for day in DAYS if window.contains(day)) == inside
    assert window.days == length
    assert window.is_whole == (case == "whole")


def test_spark_agrees(spark):
    days = spark.createDataFrame([(day,) for day in DAYS], "day date")
    windows = {
        case: DayWindow.of(settings(*assignments).clean) for case, (assignments, *_) in WINDOWS.items()
    }
    rows = days.select(
        "day", *(w.condition(F.col("day")).alias(case) for case, w in windows.items())
    ).collect()
    assert {case: tuple(row.day for row in rows if row[case]) for case in WINDOWS} == {
        case: inside for case, (_, inside, _) in WINDOWS.items()
    }
    assert all(row[case] is not None for row in rows for case in WINDOWS)


@pytest.mark.parametrize(
    ("assignments", "parts"),
    [
        pytest.param(["clean.since=yesterday"], ["clean.since", "'yesterday'", "YYYY-MM-DD"], id="word"),
        pytest.param(["clean.until=2025-02-30"], ["clean.until", "day of the calendar"], id="no-such-day"),
        pytest.param(["clean.since=20250131"], ["clean.since", "string"], id="number"),
        pytest.param(['clean.since="20250131"'], ["clean.since", "YYYY-MM-DD"], id="other-form"),
        pytest.param(["clean.since=2025-01-31T10:00:00"], ["clean.since", "string"], id="time"),
        pytest.param(
            ["clean.since=2025-01-31", "clean.until=2025-01-31"], ["until = 2025-01-31", "since = 2025-01-31"],
            id="empty-window",
        ),
        pytest.param(
            ["clean.since=2025-01-31", "clean.columns.sold_at="], ["clean.columns.sold_at", "--since"], id="no-times"
        ),
    ],
)  # fmt: skip
def test_windows_that_make_no_sense_are_refused(assignments, parts):
    with pytest.raises(SettingsError) as error:
        load_settings("local", assignments, {})
    message = str(error.value)
    assert [part for part in parts if part not in message] == [], message


def test_the_short_options_win_over_files_and_variables():
    options = entry.parse(
        "clean", ["--since", "2025-01-01", "--set", "link.top_k=7", "--until", "2025-02-01"]
    )
    chosen = load_settings("local", options.assignments, {"BASKETLENS__CLEAN__SINCE": "2024-01-01"})
    assert (chosen.clean.since, chosen.clean.until, chosen.link.top_k) == ("2025-01-01", "2025-02-01", 7)
    assert entry.parse("clean", []).assignments == []


def test_the_launcher_shows_the_window_and_passes_it_on(capsys):
    status = launch.main(["mine", "--since", "2025-01-01", "--until", "2025-02-01", "--dry-run"])
    printed, command = capsys.readouterr().out.split("# spark-submit command\n")
    assert status == 0
    assert tomllib.loads(printed)["clean"]["since"] == "2025-01-01"
    assert command.rstrip().endswith("jobs/mine.py --since 2025-01-01 --until 2025-02-01")
    assert launch.main(["mine", "--until", "soon"]) == 2
    assert "YYYY-MM-DD" in capsys.readouterr().err
