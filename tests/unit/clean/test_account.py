"""No row is lost, over random dirty receipts; and the check notices when one is."""

import random

import pytest

from basketlens.clean.stage import run
from tests.builders import PRODUCT, RECEIPT, settings

PRODUCTS = ({}, {"sku": "p2", "title": "Tea"}, {"sku": "p3", "title": ""}, {"sku": "p4", "area": "FUEL"})
VALUES = {
    "receipt": ["b1", "b2", "b3", " b1 ", "", None],
    "sku": ["p1", "p2", "p3", "p4", "p5", "", None],
    "units": ["1", "2", "-1", "-2", "0", "0.5", "x", "NaN", "1e400", "", None],
    "paid": ["1.00", "-1", "1e3", "1,5", "1e30", "", None],
    "time": ["2025-01-31 10:00:00", "2025-01-31", "noon", "", None],
    "line": ["l1", "l2", "l3", "", None, *(f"x{i}" for i in range(50))],
    "file": ["a.csv", "b.csv", "c.csv"],
}
ALL = (
    "clean.columns.customer_id=",
    "clean.columns.line_id=line",
    "clean.gates.rejected.max=1.0",
    'input.products="x"',
)


def dirty(seed: int, rows: int) -> list[dict[str, str | None]]:
    draw = random.Random(seed)
    common = {"units": "1", "paid": "1.00", "time": "2025-01-31 10:00:00"}
    return [
        {
            name: common[name] if name in common and draw.random() < 0.7 else draw.choice(values)
            for name, values in VALUES.items()
        }
        for _ in range(rows)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_are_lines_and_rejects_and_merged(spark, memory_io, seed):
    rows = dirty(seed, 300)
    io = memory_io({"raw_lines": ({**RECEIPT, "line": "l"}, rows), "raw_products": (PRODUCT, PRODUCTS)})
    run(io, settings(*ALL, 'clean.non_merchandise_departments=["FUEL"]'))
    figures = io.figures
    assert figures["rows_in"] == len(rows) == figures["rows_kept"] + figures["rows_rejected"]
    lines = io.read("lines").collect()
    assert sum(row.source_rows for row in lines) == figures["rows_kept"]
    assert len(lines) == figures["rows_kept"] - figures["rows_merged"]
    assert len({(row.basket_id, row.product_id) for row in lines}) == len(lines)
    assert all(row.quantity is None or row.quantity > 0 for row in lines)
    assert all(row.reasons for row in io.read("rejects").collect())


def test_a_lost_row_is_noticed(spark, memory_io, monkeypatch):
    from basketlens.clean import stage

    kept = stage.single_lines
    monkeypatch.setattr(stage, "single_lines", lambda sales: kept(sales.filter("basket_id != 'b2'")))
    io = memory_io({"raw_lines": (RECEIPT, [{}, {"receipt": "b2"}]), "raw_products": (PRODUCT, PRODUCTS)})
    with pytest.raises(AssertionError, match="2 rows came in, but 1 went into lines and 0 were rejected"):
        run(io, settings("clean.columns.customer_id=", 'input.products="x"'))


def test_the_order_and_cut_of_the_input_change_nothing(spark, memory_io):
    rows = dirty(7, 200)
    chosen = settings(*ALL, 'clean.non_merchandise_departments=["FUEL"]')
    found = []
    for order in (rows, rows[::-1]):
        io = memory_io({"raw_lines": ({**RECEIPT, "line": "l"}, order), "raw_products": (PRODUCT, PRODUCTS)})
        run(io, chosen)
        found.append([sorted(map(str, io.read(table).collect())) for table in ("lines", "rejects", "items")])
    assert found[0] == found[1]
