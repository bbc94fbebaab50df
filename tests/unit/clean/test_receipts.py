"""Every reason, by one literal row each; all rows go through Spark in one job."""

import json
from collections import Counter

import pytest

from basketlens.clean.stage import run
from tests.builders import PRODUCT, RECEIPT, settings

CASES = {
    "kept": ({}, []),
    "spaces-are-trimmed": ({"receipt": " b-trim ", "sku": " p1 "}, []),
    "no-customer-is-kept": ({"receipt": "b-anon", "card": ""}, []),
    "no-quantity-is-kept": ({"receipt": "b-noq", "units": ""}, []),
    "no-amount-is-kept": ({"receipt": "b-noa", "paid": ""}, []),
    "decimal-quantity": ({"receipt": "b-dec", "units": "0.453"}, []),
    "missing-basket": ({"receipt": " "}, ["missing_basket"]),
    "missing-product": ({"sku": ""}, ["missing_product"]),
    "unknown-product": ({"sku": "p404"}, ["missing_name"]),
    "nameless-product": ({"sku": "p-nameless"}, ["missing_name"]),
    "fuel": ({"sku": "p-fuel"}, ["non_merchandise"]),
    "bad-time": ({"time": "yesterday"}, ["bad_timestamp"]),
    "no-time": ({"time": ""}, ["bad_timestamp"]),
    "bad-quantity": ({"units": "two"}, ["bad_quantity"]),
    "nan-quantity": ({"units": "NaN"}, ["bad_quantity"]),
    "infinite-quantity": ({"units": "Infinity"}, ["bad_quantity"]),
    "zero-quantity": ({"units": "0"}, ["zero_quantity"]),
    "bad-amount": ({"paid": "2,50"}, ["bad_amount"]),
    "too-large-amount": ({"paid": "1e20"}, ["bad_amount"]),
    "several-reasons": (
        {"sku": "p-fuel", "units": "0", "paid": "?"},
        ["bad_amount", "non_merchandise", "zero_quantity"],
    ),
    "return-unmatched": ({"receipt": "b-back", "units": "-1", "paid": "-2.50"}, ["return_unmatched"]),
}
LENIENT = ("clean.columns.customer_id=", "clean.gates.rejected.max=1")
PRODUCTS = ({}, {"sku": "p-nameless", "title": " - "}, {"sku": "p-fuel", "title": "Diesel", "area": "Fuel "})


@pytest.fixture(scope="module")
def reasons(spark, memory_io):
    """Case -> reasons found; the shop's id column carries the case through."""
    rows = [{"shop": case, **changes} for case, (changes, _) in CASES.items()]
    io = memory_io({"raw_lines": (RECEIPT, rows), "raw_products": (PRODUCT, PRODUCTS)})
    run(
        io,
        settings('clean.non_merchandise_departments=["FUEL"]', *LENIENT, 'input.products="x"'),
    )
    found = {line.store_id: [] for line in io.read("lines").collect()}
    for row in io.read("rejects").collect():
        found[json.loads(row.raw)["store_id"]] = list(row.reasons)
    assert len(found) == len(CASES)
    return found


@pytest.mark.parametrize("case", CASES)
def test_reasons(reasons, case):
    assert sorted(reasons[case]) == CASES[case][1]


def test_lines_of_one_product_in_one_basket_are_merged(spark, memory_io):
    rows = [{"units": "2", "paid": "5.00"}, {"units": "1", "paid": "2.50"}, {"receipt": "b2"}]
    io = memory_io({"raw_lines": (RECEIPT, rows), "raw_products": (PRODUCT, PRODUCTS)})
    run(io, settings(*LENIENT, 'input.products="x"'))
    found = {
        row.basket_id: (row.quantity, str(row.amount), row.source_rows) for row in io.read("lines").collect()
    }
    assert found == {"b1": (3.0, "7.5000", 2), "b2": (1.0, "2.5000", 1)}


def test_returns_on_the_same_receipt_are_netted(spark, memory_io):
    rows = [
        {"receipt": "part", "units": "3", "paid": "7.50"},
        {"receipt": "part", "units": "-1", "paid": "-2.50"},
        {"receipt": "unsigned", "units": "3", "paid": "7.50"},
        {"receipt": "unsigned", "units": "-1", "paid": "2.50"},
        {"receipt": "all", "units": "2", "paid": "5.00"},
        {"receipt": "all", "units": "-2", "paid": "-5.00"},
    ]
    io = memory_io({"raw_lines": (RECEIPT, rows), "raw_products": (PRODUCT, PRODUCTS)})
    run(io, settings(*LENIENT, 'input.products="x"'))
    found = {
        row.basket_id: (row.quantity, str(row.amount), row.source_rows) for row in io.read("lines").collect()
    }
    assert found == {"part": (2.0, "5.0000", 1), "unsigned": (2.0, "5.0000", 1)}
    rejected = Counter(row.reasons[0] for row in io.read("rejects").collect())
    assert rejected == {"return_matched": 3, "cancelled": 1}


def test_a_line_delivered_twice_is_a_duplicate_but_two_units_are_not(spark, memory_io):
    """b1 stands twice in each of two files: two units, delivered twice."""
    rows = [
        {"file": "a.csv"},
        {"file": "a.csv"},
        {"file": "b.csv"},
        {"file": "b.csv"},
        {"receipt": "b2", "file": "b.csv"},
    ]
    io = memory_io({"raw_lines": (RECEIPT, rows), "raw_products": (PRODUCT, PRODUCTS)})
    run(io, settings(*LENIENT, 'input.products="x"'))
    assert {row.basket_id: row.source_rows for row in io.read("lines").collect()} == {"b1": 2, "b2": 1}
    rejects = io.read("rejects").collect()
    assert [(row.reasons, row.source) for row in rejects] == [(["duplicate"], "a.csv")] * 2


def test_of_one_line_id_the_first_stays(spark, memory_io):
    rows = [
        {"shop": "late", "paid": "1", "time": "2025-01-31 11:00:00", "file": "a.csv"},
        {"shop": "early", "paid": "9", "time": "2025-01-31 10:00:00", "file": "b.csv"},
        {"shop": "other", "paid": "4", "receipt": "b2"},
    ]
    plain = {**RECEIPT, "line": "l1"}
    rows[2]["line"] = "l2"
    io = memory_io({"raw_lines": (plain, rows), "raw_products": (PRODUCT, PRODUCTS)})
    run(io, settings(*LENIENT, "clean.columns.line_id=line", 'input.products="x"'))
    assert {row.store_id for row in io.read("lines").collect()} == {"early", "other"}


def test_amount_from_price_and_quantity(spark, memory_io):
    rows = [{"units": "3", "paid": "2.50"}, {"receipt": "b2", "units": "0.5", "paid": "1.99"}]
    io = memory_io({"raw_lines": (RECEIPT, rows), "raw_products": (PRODUCT, PRODUCTS)})
    columns = (*LENIENT, "clean.columns.amount=", "clean.columns.unit_price=paid")
    run(io, settings(*columns, 'input.products="x"'))
    assert {row.basket_id: str(row.amount) for row in io.read("lines").collect()} == {
        "b1": "7.5000",
        "b2": "0.9950",
    }


def test_a_sale_undone_by_a_later_return_keeps_its_file_and_line(spark, memory_io, key_file):
    """It was alone on its receipt, and only its customer's return on another receipt makes a reject of it."""
    plain = {**RECEIPT, "line": "l1"}
    rows = [
        {"receipt": "b1", "file": "monday.csv", "time": "2025-01-30 10:00:00"},
        {"receipt": "b2", "line": "l2", "units": "-1", "file": "friday.csv"},
        {"receipt": "b3", "line": "l3", "card": "c2"},
    ]
    io = memory_io({"raw_lines": (plain, rows), "raw_products": (PRODUCT, PRODUCTS)})
    mapped = ("clean.columns.line_id=line", 'input.products="x"', "clean.gates.rejected.action=off")
    run(io, settings(f"privacy.key_file={key_file}", *mapped))
    found = {
        row.reasons[0]: (row.source, json.loads(row.raw)["line_id"]) for row in io.read("rejects").collect()
    }
    assert found == {"cancelled": ("monday.csv", "l1"), "return_matched": ("friday.csv", "l2")}
