from basketlens.run import Outcome
from basketlens.summary import lines_of

CLEAN = {
    "rows_kept": 9000,
    "rows_rejected": 1000,
    "rows_merged": 12,
    "quality_warnings": ["7% of 10,000 rows are odd"],
}
TOP = [["oat milk", "muesli", 321, 0.26, 5.1, 0.2567]]


def test_a_run_says_what_came_out():
    outcomes = [
        Outcome("clean", "done", {"items": 1234, "lines": 8988}, CLEAN, 1.0),
        Outcome("mine", "done", {"itemsets": 77, "rules": 50}, {}, 1.0),
        Outcome("report", "skipped", {}, {"top_associations": TOP, "report": "/t/report.html"}, 0.1),
    ]
    assert list(lines_of(outcomes, "/t")) == [
        "rows      10,000 read, 9,000 kept, 1,000 rejected, 12 merged into another line",
        "warning   7% of 10,000 rows are odd",
        "items     1,234",
        "itemsets  77",
        "rules     50",
        "",
        "The 1 strongest associations",
        "  1. oat milk",
        "   + muesli",
        "     together in 321 baskets: 26% of the first's, 5.1 times chance; strength 0.257",
        "",
        "report    /t/report.html",
        "tables    /t",
    ]


def test_files_left_out_are_named():
    files = [f"file:/in/{i}.csv" for i in range(7)]
    [line] = [
        line
        for line in lines_of([Outcome("clean", "done", {}, {"skipped_files": files[:1]}, 1.0)], "/t")
        if "skipped" in line
    ]
    assert line == "skipped   1 file that could not be read: file:/in/0.csv"
    outcome = Outcome("clean", "done", {}, {**CLEAN, "skipped_files": files}, 1.0)
    shown = list(lines_of([outcome], "/t"))[1]
    assert shown == f"skipped   7 files that could not be read: {', '.join(files[:5])}, ..."


def test_a_run_that_did_nothing_says_so():
    outcomes = [Outcome("serve", "skipped", {"cross_sell": 3}, {}, 0.1)]
    assert next(lines_of(outcomes, "/t")).startswith("Nothing has changed")
