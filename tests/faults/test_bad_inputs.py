"""Bad input through the real runner: one clear message, a logged failure, and the tables of the last good run untouched."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from basketlens import privacy_key, schemas
from basketlens.errors import BasketLensError, FaultError, GateError, InputError, SettingsError
from basketlens.progress import PlainProgress
from basketlens.run import Run
from tests.builders import settings, table

HEADER = "receipt,sku,card,shop,time,units,paid,title\n"
GOOD = "b1,p1,c1,s1,2025-01-31 10:00:00,1,2.50,Oat milk\n"


@pytest.fixture
def clean(spark, tmp_path, monkeypatch):
    """Run `clean` on a feed with this content; names come from the receipts, the key from a file made for the test."""
    monkeypatch.delenv(privacy_key.VARIABLE, raising=False)
    privacy_key.read_secret.cache_clear()
    key = (f"privacy.key_file={tmp_path}/privacy.key", "privacy.create_key_file=true")

    def run(
        content: str | bytes | None, *assignments: str, root: Path = tmp_path / "tables", kind: str = "csv"
    ):
        feed = tmp_path / "feed"
        if content is not None:
            feed.write_bytes(content.encode() if isinstance(content, str) else content)
        chosen = settings(
            f"input.transactions={feed}", f"input.format={kind}", "clean.columns.product_name=title",
            f"tables.root={root}", *key, *assignments,
        )  # fmt: skip
        [outcome] = Run(spark, chosen, PlainProgress(), "r").execute(("clean",))
        return outcome

    return run


def test_good_input_is_good(clean):
    outcome = clean(HEADER + GOOD)
    assert outcome.rows == {"lines": 1, "rejects": 0, "products": 1, "items": 2}


@pytest.mark.parametrize(
    ("content", "kind", "assignments", "error", "part"),
    [
        pytest.param("", "csv", (), InputError, "is empty: no header", id="empty-file"),
        pytest.param(HEADER, "csv", (), InputError, "is empty: no rows", id="header-alone"),
        pytest.param("a,b\n1,2\n", "csv", (), InputError, "'receipt' (clean.columns.basket_id)", id="missing-columns"),
        pytest.param(b"PAR1 torn", "parquet", (), InputError, "cannot be read as parquet", id="torn-parquet"),
        pytest.param(HEADER + GOOD, "table", (), InputError, "cannot be read as table", id="no-such-table"),
        pytest.param(
            HEADER + GOOD + GOOD.replace("2.50", "?"), "csv", ("clean.gates.rejected.max=0.1",), GateError,
            "% of 2 rows were rejected", id="too-many-rejects",
        ),
    ],
)  # fmt: skip
def test_bad_input_gets_one_message(clean, content, kind, assignments, error, part):
    with pytest.raises(error) as found:
        clean(content, *assignments, kind=kind)
    assert part in str(found.value)


def test_a_header_that_differs_between_files_is_said(spark, tmp_path, clean):
    folder = tmp_path / "feed"
    folder.mkdir()
    (folder / "1.csv").write_text(HEADER + GOOD)
    (folder / "2.csv").write_text(HEADER.replace("sku,card", "card,sku") + GOOD)
    with pytest.raises(InputError, match="CSV header does not conform"):
        clean(None)


def test_torn_files_that_were_left_out_stand_in_the_run(clean, tmp_path):
    folder = tmp_path / "feed"
    folder.mkdir()
    (folder / "1.csv").write_text(HEADER + GOOD)
    torn = gzip.compress((HEADER + GOOD.replace("b1", "b2") * 5000).encode())
    (folder / "2.csv.gz").write_bytes(torn[: len(torn) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        clean(None)
    outcome = clean(None, "input.ignore_corrupt_files=true")
    assert outcome.rows["lines"] == 1
    manifest = json.loads((tmp_path / "tables" / "_manifests" / "clean.json").read_text())
    assert manifest["figures"]["skipped_files"] == [f"file:{folder}/2.csv.gz"]


def test_no_key_for_customers_is_said(clean):
    with pytest.raises(SettingsError, match="Customer ids need a secret key"):
        clean(HEADER + GOOD, "privacy.create_key_file=false")


def test_a_failure_leaves_the_last_good_tables(spark, clean, tmp_path):
    clean(HEADER + GOOD)
    with pytest.raises(BasketLensError):
        clean("a,b\n1,2\n")
    assert spark.read.parquet(f"{tmp_path}/tables/lines").count() == 1
    statuses = [
        row.status for row in spark.read.parquet(f"{tmp_path}/tables/runs").orderBy("started_at").collect()
    ]
    assert statuses == ["done", "failed"]


def test_an_error_in_a_python_worker_arrives_in_its_own_words(spark, tmp_path):
    product = {"product_id": "p1", "product_name": "oat milk", "name_hash": "h1", "is_merchandise": True}
    table(spark, schemas.PRODUCTS, product).write.parquet(f"{tmp_path}/products")
    chosen = settings(
        f"tables.root={tmp_path}/tables", f"tables.read.products={tmp_path}/products", "embed.device=cuda"
    )
    with pytest.raises(InputError) as found:
        Run(spark, chosen, PlainProgress(), "r").execute(("embed",))
    assert "cuda" in str(found.value)
    assert "Traceback" not in str(found.value)
    assert "SQLSTATE" not in str(found.value)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A real disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_fills_up_is_a_fault_worth_retrying(clean, small_disk):
    import random

    draw = random.Random(1)  # incompressible ids
    rows = "".join(
        f"{draw.getrandbits(128):x},{draw.getrandbits(64):x},c,s,2025-01-31 10:00:00,1,1,x{draw.getrandbits(64):x}\n"
        for _ in range(20_000)
    )
    with pytest.raises(FaultError, match="A disk is full") as found:
        clean(HEADER + rows, root=small_disk / "tables")
    assert found.value.exit_status == 4
