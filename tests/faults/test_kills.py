"""A kill at every step of publishing: what the next run finds is wholly old or wholly new, never between."""

import shutil
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.tables import Tables
from tests.builders import settings, table

NAMES = ("lines", "rejects", "products", "items")
WINDOW = ("clean.since=2025-01-30", "clean.until=2025-02-01")
TEXTS = {"_manifests/clean.json": "new", "_manifests/history/new-clean.json": "new"}
MOST_CALLS = 1000


class Killed(BaseException):
    """The driver dies: nothing may catch it."""


class Dying(FileSystem):
    """A file system whose driver dies before its n-th call, calls inside calls included."""

    def __init__(self, spark, root, calls):
        super().__init__(spark, root)
        self.left = calls

    def __getattribute__(self, name):
        if name in ("exists", "list", "move", "remove", "read_text", "write_text"):
            self.left -= 1
            if self.left < 0:
                raise Killed
        return super().__getattribute__(name)


def tables(spark, root, *assignments, files=None):
    chosen = settings(f"tables.root={root}", *assignments)
    return Tables(spark, chosen, files or FileSystem(spark, str(root)), "new")


def contents(root: Path) -> dict[str, bytes]:
    """What readers see: not the hidden folders, nor the local disk's own checksums."""
    files = (file for file in root.rglob("*") if file.is_file() and not file.name.startswith("."))
    seen = {str(file.relative_to(root)): file.read_bytes() for file in files}
    return {name: text for name, text in seen.items() if not name.startswith((".staging", ".publishing"))}


def stage(spark, into: Tables, run: str, days) -> None:
    dated = [{"run_id": run, "basket_id": run, "sold_on": day} for day in days]
    into.write("lines", table(spark, schemas.LINES, *dated))
    into.write("rejects", table(spark, schemas.REJECTS, *dated))
    into.write("products", table(spark, schemas.PRODUCTS, {"product_id": run}))
    into.write("items", table(spark, schemas.ITEMS, {"item_id": run}))
    into.write("receipts", spark.range(3))  # scratch


class Staged(NamedTuple):
    """A root with the tables of one run, and those of the next staged: everything but published."""

    root: Path
    window: tuple[str, ...]
    done: dict[str, bytes]  # what is there after a publish that nothing kills
    calls: int  # how many calls of the file system that takes


@pytest.fixture(scope="module", params=[(), WINDOW], ids=["whole", "window"])
def staged(spark, request, tmp_path_factory):
    root = tmp_path_factory.mktemp("kill") / "tables"
    old = tables(spark, root)
    stage(spark, old, "old", [date(2025, 1, 29), date(2025, 1, 30), date(2025, 1, 31), None])
    old.publish(NAMES, dict.fromkeys(TEXTS, "old"))
    stage(
        spark, tables(spark, root, *request.param), "new", [date(2025, 1, 31), None]
    )  # the 30th became empty
    done, counting = root.with_name("done"), Dying(spark, str(root), MOST_CALLS)
    shutil.copytree(root, done)
    tables(spark, done, *request.param, files=counting).publish(NAMES, TEXTS)
    return Staged(root, request.param, contents(done), MOST_CALLS - counting.left)


def killed(spark, staged: Staged, into: Path, calls: int) -> Tables:
    """Publish a copy of the staged root, killed after `calls` calls; returns the tables of the next run."""
    shutil.copytree(staged.root, into)
    with pytest.raises(Killed):
        tables(spark, into, *staged.window, files=Dying(spark, str(into), calls)).publish(NAMES, TEXTS)
    return tables(spark, into, *staged.window)


def test_a_kill_at_any_step_leaves_all_old_or_all_new(spark, staged, tmp_path):
    old = contents(staged.root)
    assert staged.done["_manifests/clean.json"] == b"new" != old["_manifests/clean.json"]
    found = []
    for calls in range(staged.calls):
        into = tmp_path / f"{calls}"
        after = killed(spark, staged, into, calls)
        after.recover()
        after.discard()
        now = contents(into)
        found.append("old" if now == old else "new" if now == staged.done else f"neither after {calls} calls")
        left = [file for folder in (".staging", ".publishing") for file in (into / folder).rglob("*")]
        assert [file for file in left if not file.name.endswith((".writing", ".crc"))] == [], calls
        shutil.rmtree(into)
    assert found == ["old"] * found.count("old") + ["new"] * found.count("new")
    assert len(set(found)) == 2


def test_the_new_tables_are_what_the_window_says(spark, staged):
    after = tables(spark, staged.root.with_name("done"))
    days = {(row.basket_id, str(row.sold_on)) for row in after.read("lines").collect()}
    untouched = {("old", "2025-01-29")} if staged.window else set()
    assert days == {("new", "2025-01-31"), ("new", "None")} | untouched
    assert [row.product_id for row in after.read("products").collect()] == ["new"]
    assert all(after.exists(name) for name in NAMES)


def test_a_failure_while_publishing_keeps_what_the_journal_needs(spark, staged, tmp_path):
    """A disk error is no kill: the run tidies up after itself, and must not take the staging with it."""
    needed = 0
    for calls in range(0, staged.calls, 5):
        into = tmp_path / f"{calls}"
        after = killed(spark, staged, into, calls)
        if (into / ".publishing" / "new.json").exists():
            after.discard()
            after.recover()
            assert contents(into) == staged.done, calls
            needed += 1
    assert needed > 5


def test_a_kill_while_recovering_is_recovered_from(spark, staged, tmp_path):
    into = tmp_path / "often"
    killed(spark, staged, into, staged.calls // 2)
    assert (into / ".publishing" / "new.json").exists()
    kills = 0
    for calls in range(MOST_CALLS):  # the journal is never lost, and each attempt gets further
        try:
            tables(spark, into, files=Dying(spark, str(into), calls)).recover()
        except Killed:
            kills += 1
            continue
        break
    assert contents(into) == staged.done
    assert kills > 10
