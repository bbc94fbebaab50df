"""Raw customer ids stop in `clean`: no byte of any output, log, manifest or event log holds one."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.shell import shell

pytestmark = pytest.mark.timeout(600)
MARK = "CARDHOLDER"
ROWS = [
    f"b1,p1,{MARK}-1,2025-01-31,2,5.00,oat milk",
    f"b1,p1,{MARK}-1,2025-01-31,-1,-2.50,oat milk",
    f"b2,p2,{MARK}-2,never,1,1.00,tea",
    f"b3,p2,{MARK}-3,2025-01-31,x,y,tea",
    f"b4,p2,{MARK}-4,2025-01-31,1",
    f"b5,p1,{MARK}-5,2025-01-31,1,2.50,oat milk",
    f"b6,p1,{MARK}-5,2025-02-01,-1,-2.50,oat milk",
]
MAPPED = {
    "basket_id": "ticket", "product_id": "sku", "customer_id": "card", "store_id": "", "sold_at": "day",
    "quantity": "units", "amount": "paid", "product_name": "title",
}  # fmt: skip


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "in").mkdir()
    (folder / "in" / "log.csv").write_text("ticket,sku,card,day,units,paid,title\n" + "\n".join(ROWS) + "\n")
    (folder / "out" / "events").mkdir(parents=True)
    settings = " ".join(f"--set clean.columns.{ours}={source}" for ours, source in MAPPED.items())
    done = shell(
        folder,
        "./submit.sh clean --set input.transactions=in/log.csv --set input.format=csv --set input.products="
        f" --set clean.name_template= {settings} --set tables.root=out/tables --set privacy.key_file=key"
        " --set clean.gates.rejected.max=1.0"
        " -- --conf spark.eventLog.enabled=true --conf spark.eventLog.dir=out/events"
        " --conf spark.eventLog.compress=false --conf spark.sql.parquet.compression.codec=uncompressed",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "out" / "said.txt").write_text(done.stdout + done.stderr)
    return folder


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "out").rglob("*") if path.is_file()]


def test_no_file_holds_an_id_or_the_secret(job):
    secret = (job / "key").read_text().strip()
    assert len(files(job)) > 10
    assert [path for path in files(job) if MARK.encode() in path.read_bytes()] == []
    assert [path for path in files(job) if secret.encode() in path.read_bytes()] == []


def test_what_is_searched_would_show_one(job):
    """The rows are there, readable as bytes: their customers by key, their other values as they were."""
    rejects = pd.read_parquet(job / "out" / "tables" / "rejects", partitioning=None)
    reasons = {reason for row in rejects.reasons for reason in row}
    assert reasons == {
        "return_matched",
        "cancelled",
        "bad_timestamp",
        "bad_quantity",
        "bad_amount",
        "malformed_row",
    }
    assert (
        rejects.raw.str.contains("customer_key").sum() == len(rejects) - 1
    )  # not of what could not be parsed
    lines = pd.read_parquet(job / "out" / "tables" / "lines")
    key = lines.customer_key.iloc[0]
    assert any(key.encode() in path.read_bytes() for path in files(job))
