"""Torn files: an error by default; left out whole and named when the settings say so."""

import gzip
import random

import pandas as pd
import pytest

from basketlens.errors import InputError
from basketlens.faults import as_user_error
from basketlens.sources import read_source
from tests.builders import settings

WANTED = {"clean.columns.basket_id": "receipt", "clean.columns.product_id": "sku"}
LENIENT = "input.ignore_corrupt_files=true"
ROWS = 20_000  # enough that a torn file still has whole blocks in front


def read(spark, path, kind, *assignments):
    given = settings(*assignments).input
    return read_source(spark, given, str(path), kind, WANTED, setting="input.transactions")


def content(kind, name):
    """Bytes of a file with `ROWS` receipts of this name; they do not compress to nothing."""
    draw = random.Random(name)
    frame = pd.DataFrame({"receipt": name, "sku": [f"{draw.getrandbits(60):x}" for _ in range(ROWS)]})
    if kind == "parquet":
        return frame.to_parquet()
    text = frame.to_csv(index=False) if kind == "csv" else frame.to_json(orient="records", lines=True)
    return gzip.compress(text.encode())


def tear(data, how):
    if how == "cut":
        return data[: len(data) // 2]
    if how == "garbled":  # header and footer stay
        return data[:2000] + bytes(2000) + data[4000:]
    return b"this is something else"


@pytest.fixture
def folder(tmp_path):
    """A function that fills a folder: name -> how it is torn, "" = whole."""

    def fill(kind, files):
        for name, how in files.items():
            data = content(kind, name)
            path = tmp_path / "a feed%" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tear(data, how) if how else data)
        return tmp_path / "a feed%"

    return fill


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        pytest.param("parquet", {"1.parquet": "other", "2.parquet": "", "3.parquet": "cut"}, id="parquet"),
        pytest.param("parquet", {"1.parquet": "", "2 ü.parquet": "garbled", "3.parquet": "cut"}, id="pages"),
        pytest.param("csv", {"1.csv.gz": "cut", "2.csv.gz": "", "3.csv.gz": "other"}, id="csv"),
        pytest.param("csv", {"1.csv.gz": "other", "11.csv.gz": "", "12.csv.gz": ""}, id="csv-first"),
        pytest.param("json", {"dt=1/1.json.gz": "", "dt=2/2.json.gz": "cut"}, id="json"),
    ],
)
def test_torn_files_are_left_out_whole_and_named(spark, folder, kind, files):
    path = folder(kind, files)
    found = read(spark, path, kind, LENIENT)
    whole = {name for name, how in files.items() if not how}
    assert found.skipped == tuple(sorted(f"file:{path}/{name}" for name in set(files) - whole))
    assert {row.receipt: row["count"] for row in found.rows.groupBy("receipt").count().collect()} == {
        name: ROWS for name in whole
    }


@pytest.mark.parametrize(
    ("kind", "name", "how"),
    [
        pytest.param("parquet", "1.parquet", "other", id="parquet"),
        pytest.param("parquet", "1.parquet", "garbled", id="pages"),
        pytest.param("csv", "1.csv.gz", "cut", id="csv"),
    ],
)
def test_by_default_a_torn_file_stops_the_run(spark, folder, kind, name, how):
    path = folder(kind, {name: how})
    with pytest.raises(Exception) as error:
        read(spark, path, kind).rows.collect()
    assert isinstance(as_user_error(error.value), InputError)


def test_nothing_is_left_out_of_whole_files(spark, folder):
    found = read(spark, folder("parquet", {"1.parquet": "", "2.parquet": ""}), "parquet", LENIENT)
    assert (found.skipped, found.rows.count()) == ((), 2 * ROWS)


def test_when_every_file_is_torn_there_is_no_input(spark, folder):
    with pytest.raises(InputError, match=r"No file of input\.transactions can be read to its end"):
        read(spark, folder("csv", {"1.csv.gz": "cut", "2.csv.gz": "cut"}), "csv", LENIENT)


def test_a_whole_file_with_another_header_is_not_left_out(spark, tmp_path):
    (tmp_path / "1.csv").write_text("receipt,sku\nb1,p1\n")
    (tmp_path / "2.csv").write_text("sku,receipt\np2,b2\n")
    with pytest.raises(Exception, match="CSV header does not conform"):
        read(spark, tmp_path, "csv", LENIENT)
