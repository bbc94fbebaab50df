"""Files as shops deliver them: charsets, marks, NUL bytes, line breaks in values, bad records, folders with dates."""

import gzip
import json

import pytest

from basketlens.formats import CORRUPT
from basketlens.sources import read_source
from tests.builders import settings

WANTED = {"clean.columns.basket_id": "receipt", "clean.columns.product_id": "sku"}
BY_FOLDER = {**WANTED, "clean.columns.sold_at": "dt", "clean.columns.store_id": "store"}


def read(spark, path, kind, *assignments, wanted=WANTED, where=""):
    given = settings(*assignments).input
    return read_source(spark, given, str(path), kind, wanted, setting="input.transactions", where=where).rows


def values(rows, *names):
    """Good rows, each as a tuple of the named columns, and the text of the bad ones; one job."""
    found = rows.collect()
    good = sorted(tuple(row[name] for name in names) for row in found if row[CORRUPT] is None)
    return good, sorted(row[CORRUPT] for row in found if row[CORRUPT] is not None)


def pair(rows):
    return values(rows, "receipt", "sku")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "gb18030"])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_charsets(spark, tmp_path, kind, encoding):
    name = "茶" if encoding == "gb18030" else "käse"
    rows = [("b1", name), ("b2", "x")]
    text = (
        "receipt,sku\r\n" + "".join(f"{r},{s}\r\n" for r, s in rows)
        if kind == "csv"
        else "".join(json.dumps({"receipt": r, "sku": s}, ensure_ascii=False) + "\r\n" for r, s in rows)
    )
    (tmp_path / "feed").write_bytes(text.encode(encoding))
    assert pair(read(spark, tmp_path / "feed", kind, f"input.encoding={encoding}")) == (rows, [])


def test_keys_in_another_charset(spark, tmp_path):
    (tmp_path / "feed").write_bytes('{"receipt": "b1", "货号": "p1"}\n'.encode("gb18030"))
    wanted = {"clean.columns.basket_id": "receipt", "clean.columns.product_id": "货号"}
    rows = read(spark, tmp_path / "feed", "json", "input.encoding=gb18030", wanted=wanted)
    assert values(rows, "receipt", "货号") == ([("b1", "p1")], [])


@pytest.mark.parametrize("multiline", ["false", "true"])
@pytest.mark.parametrize("zipped", [False, True])
def test_every_file_may_begin_with_a_byte_order_mark(spark, tmp_path, zipped, multiline):
    for day in (1, 2, 3):
        mark = "" if day == 3 else "\ufeff"
        content = f'{mark}"receipt",sku\nb{day},p1\n'.encode()
        path = tmp_path / f"{day}.csv{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)
    rows = read(spark, tmp_path, "csv", f"input.multiline={multiline}")
    assert pair(rows) == ([("b1", "p1"), ("b2", "p1"), ("b3", "p1")], [])


def test_json_files_may_begin_with_a_byte_order_mark(spark, tmp_path):
    for day in (1, 2):
        (tmp_path / f"{day}.json").write_text(f'\ufeff{{"receipt": "b{day}", "sku": "p1"}}\n\n  \n')
    assert pair(read(spark, tmp_path, "json")) == ([("b1", "p1"), ("b2", "p1")], [])


@pytest.mark.parametrize("multiline", ["false", "true"])
def test_nul_bytes_are_taken_out_of_csv(spark, tmp_path, multiline):
    (tmp_path / "feed").write_bytes(b'receipt,sku\nb\x001,"p\x00,1"\n\x00b2\x00,p2\n')
    rows = read(spark, tmp_path / "feed", "csv", f"input.multiline={multiline}")
    assert pair(rows) == ([("b1", "p,1"), ("b2", "p2")], [])


def test_nul_bytes_are_taken_out_of_json(spark, tmp_path):
    (tmp_path / "feed").write_bytes(
        b'{"receipt": "b\x001", "sku": "p1"}\n{"receipt": "b2", "sku": "p\\u00002"}\n'
    )
    assert pair(read(spark, tmp_path / "feed", "json")) == ([("b1", "p1"), ("b2", "p2")], [])


FIELDS = "receipt,sku\nb1,p1\n\n   \nb2\nb3,p3,more\nb4,\n"


@pytest.mark.parametrize("multiline", ["false", "true"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_records_of_another_length_are_kept_and_blank_lines_are_none(spark, tmp_path, multiline, ending):
    (tmp_path / "feed").write_bytes(FIELDS.replace("\n", ending).encode())
    rows = read(spark, tmp_path / "feed", "csv", f"input.multiline={multiline}")
    assert pair(rows) == ([("b1", "p1"), ("b4", None)], ["b2", "b3,p3,more"])


def test_a_record_of_thousands_of_fields_stops_nothing(spark, tmp_path):
    (tmp_path / "feed").write_text("receipt,sku\nb1,p1\n" + "," * 50_000 + "\nb2,p2\n")
    assert pair(read(spark, tmp_path / "feed", "csv")) == ([("b1", "p1"), ("b2", "p2")], ["," * 50_000])


def test_line_breaks_inside_quotes(spark, tmp_path):
    (tmp_path / "feed").write_text('receipt,sku,note\nb1,p1,"two\nlines, ""one"" value"\nb2,p2,\n')
    wanted = {**WANTED, "clean.columns.product_name": "note"}
    whole = read(spark, tmp_path / "feed", "csv", "input.multiline=true", wanted=wanted)
    assert values(whole, "receipt", "note") == ([("b1", 'two\nlines, "one" value'), ("b2", None)], [])
    cut = read(spark, tmp_path / "feed", "csv", wanted=wanted)
    assert values(cut, "receipt") == ([("b1",), ("b2",)], ['lines, ""one"" value"'])


def test_semicolons_quotes_and_gzip(spark, tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'receipt;sku\nb1;"p;1 ""big"""\n'))
    assert pair(read(spark, tmp_path / "a.csv.gz", "csv", "input.delimiter=;")) == ([("b1", 'p;1 "big"')], [])


@pytest.fixture(params=["csv", "csv.gz", "json", "parquet"])
def by_day(request, spark, tmp_path):
    """Two days of two stores, a file each; returns the kind and the folder."""
    ending, root = request.param, tmp_path / "feed"
    for day, store in (("2025-01-31", "007"), ("2025-02-01", "010")):
        folder = root / f"dt={day}" / f"store={store}"
        if ending == "parquet":
            spark.createDataFrame([(f"b{day}", "p1")], "receipt string, sku string").write.parquet(
                str(folder)
            )
            continue
        folder.mkdir(parents=True)
        csv = f"receipt,sku\nb{day},p1\n".encode()
        record = json.dumps({"receipt": f"b{day}", "sku": "p1"}).encode() + b"\n"
        content = {"csv": csv, "csv.gz": gzip.compress(csv), "json": record}[ending]
        (folder / f"part.{ending}").write_bytes(content)
    return ending.removesuffix(".gz"), root


def test_folder_names_are_columns_of_text(spark, by_day):
    kind, root = by_day
    first, second = ("b2025-01-31", "2025-01-31", "007"), ("b2025-02-01", "2025-02-01", "010")
    for place, expected in (
        (root, [first, second]),
        (f"{root}/dt=*/store=*", [first, second]),
        (f"{root}/dt=2025-02-*", [second]),
        (f"{root}/dt=2025-01-31/store=007/*", [first]),
    ):
        rows = read(spark, place, kind, wanted=BY_FOLDER)
        assert values(rows, "receipt", "dt", "store") == (expected, []), place


def test_a_condition_on_folders_decides_which_are_read(spark, by_day, capsys):
    kind, root = by_day
    rows = read(spark, root, kind, wanted=WANTED, where="dt < '2025-02-01' AND store = '007'")
    assert pair(rows) == ([("b2025-01-31", "p1")], [])
    rows.explain()
    plan = capsys.readouterr().out
    assert "PartitionFilters: [" in plan
    assert "PartitionFilters: []" not in plan


def test_all_files_below_a_folder_are_read(spark, tmp_path):
    for day in ("2025/01/31", "2025/02/01"):
        (tmp_path / day).mkdir(parents=True)
        (tmp_path / day / "x.csv").write_text(f"receipt,sku\nb{day[-2:]},p1\n")
    assert pair(read(spark, tmp_path, "csv")) == ([("b01", "p1"), ("b31", "p1")], [])


def test_a_column_that_is_also_a_folder(spark, tmp_path):
    (tmp_path / "dt=2025-01-31").mkdir()
    (tmp_path / "dt=2025-01-31" / "x.csv").write_text("receipt,dt,sku\nb1,31.01.2025,p1\n")
    rows = read(spark, tmp_path, "csv", wanted={**WANTED, "clean.columns.sold_at": "dt"})
    assert values(rows, "receipt", "sku", "dt") == ([("b1", "p1", "31.01.2025")], [])


def test_a_key_of_a_late_line_is_found(spark, tmp_path):
    lines = [{"receipt": f"b{i}"} for i in range(900)] + [{"receipt": "b900", "sku": "p1"}]
    (tmp_path / "feed").write_text("".join(json.dumps(line) + "\n" for line in lines))
    good, bad = pair(read(spark, tmp_path / "feed", "json"))
    assert (len(good), bad) == (901, [])


def test_json_keys_that_differ_in_case(spark, tmp_path):
    (tmp_path / "feed").write_text('{"SKU": "other", "receipt": "b1", "sku": "p1"}\n')
    wanted = {"clean.columns.basket_id": "=upper(receipt)", "clean.columns.product_id": "sku"}
    assert values(read(spark, tmp_path / "feed", "json", wanted=wanted), "sku") == ([("p1",)], [])
