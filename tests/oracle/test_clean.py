"""`clean` against a loop over rows that is slow and obviously right: the same lines, every row accounted for."""

import random
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import pytest

from basketlens.clean.stage import run
from tests.builders import PRODUCT, RECEIPT, settings

PLAIN = {**RECEIPT, "line": "", "back": ""}
PRODUCTS = ({}, {"sku": "p2", "title": "Tea"}, {"sku": "p3", "title": ""}, {"sku": "p4", "area": "FUEL"})
NAMED, FUEL = {"p1", "p2", "p4"}, {"p4"}
VALUES = {
    "receipt": [*(f"b{i}" for i in range(1, 13)), " b1 ", "", None],
    "sku": ["p1", "p2", "p1", "p2", "p3", "p4", "p5", ""],
    "units": ["1", "2", "3", "-1", "-2", "-4", "0", "0.5", "x", "NaN", "", None],
    "paid": ["1.00", "2.50", "-1", "0", "1,5", "", None],
    "time": [*(f"2025-01-{day:02} {hour}:00:00" for day in (1, 2, 3) for hour in (10, 23)), "noon", None],
    "line": ["l1", "l2", *[""] * 6],
    "back": ["b1", "b2", *[None] * 8],
    "file": ["a.csv", "b.csv"],
}
USUAL = {"units": "1", "paid": "2.50"}
CARDS = {f"b{i}": ["c1", "c2", " c2", "c3", ""][i % 5] for i in range(1, 13)}  # a basket is one customer's
MAPPED = (
    "clean.columns.line_id=line", "clean.columns.returned_basket_id=back",
    "clean.return_columns.basket_id=receipt", "clean.return_columns.product_id=sku",
    "clean.return_columns.customer_id=card", "clean.return_columns.sold_at=time",
    "clean.return_columns.quantity=units", 'input.products="x"', 'clean.non_merchandise_departments=["FUEL"]',
    "clean.gates.rejected.max=1.0",
)  # fmt: skip


def dirty(draw: random.Random, rows: int) -> list[dict[str, str | None]]:
    made = [
        {
            name: USUAL[name] if name in USUAL and draw.random() < 0.5 else draw.choice(values)
            for name, values in VALUES.items()
        }
        for _ in range(rows)
    ]
    return [
        {**row, "shop": "s1", "card": CARDS.get(text(row["receipt"]), draw.choice(["c1", "c3", None]))}
        for row in made
    ]


def text(value):
    return (value or "").strip(" ") or None


def number(value, kind):
    try:
        found = kind(value.strip())
    except (ValueError, InvalidOperation, AttributeError):
        return None
    return found if abs(found) < 1e300 else None  # false for NaN too


class Row:
    """One source row, as the documentation says it is to be understood."""

    def __init__(self, values, *, from_returns=False, line_ids=True, since=None, until=None, policy="keep"):
        self.values, self.file = values, values["file"]
        self.basket, self.product, self.shop = (text(values[name]) for name in ("receipt", "sku", "shop"))
        self.customer = text(values["card"])
        self.line = text(values["line"]) if line_ids and not from_returns else None
        try:
            self.time = datetime.fromisoformat(text(values["time"]) or "")
        except ValueError:
            self.time = None
        self.units = number(values["units"], float)
        self.paid = None if from_returns else number(values["paid"], Decimal)
        if from_returns:
            blank = None if text(values["units"]) else -1.0
            self.units = blank if self.units is None else -abs(self.units)
            self.bought_in = self.basket
        else:
            self.bought_in = text(values["back"]) or self.basket
        if (
            policy == "return"
            and self.paid is not None
            and self.paid < 0
            and (self.units is None or self.units > 0)
        ):
            self.units = -(1.0 if self.units is None else self.units)
        names = (
            "receipt",
            "sku",
            "shop",
            "time",
            "units",
            "card",
            *(() if from_returns else ("paid", "line", "back")),
        )
        trimmed = [
            self.customer if name == "card" else values[name] for name in names if name != "line" or line_ids
        ]
        self.content = (from_returns, *trimmed)
        if not self.is_return:
            self.bought_in = self.basket  # a sale refers to nothing
        self.reasons = set(self._own(from_returns, since, until, policy))
        self.left = 1.0 if self.units is None else abs(self.units)

    def _own(self, from_returns, since, until, policy):
        if not self.basket and not (from_returns and self.customer):
            yield "missing_basket"
        if not self.product:
            yield "missing_product"
        elif self.product not in NAMED:
            yield "missing_name"
        if self.product in FUEL:
            yield "non_merchandise"
        if self.time is None:
            yield "bad_timestamp"
        elif (since and self.time.date() < since) or (until and self.time.date() >= until):
            yield "out_of_window"
        if self.units is None and text(self.values["units"]):
            yield "bad_quantity"
        if self.units == 0:
            yield "zero_quantity"
        if not from_returns and self.paid is None and text(self.values["paid"]):
            yield "bad_amount"
        if policy == "reject" and not self.is_return and self.paid is not None and self.paid <= 0:
            yield "non_positive_amount"

    def money(self):
        """What was paid for the units that are left."""
        whole = Decimal(1 if self.units is None else abs(self.units))
        return (self.paid * Decimal(self.left) / whole).quantize(Decimal("0.0001"))

    @property
    def size(self):
        """Quantity and amount; nothing comes before any number."""
        return tuple((value is not None, value or 0) for value in (self.units, self.paid))

    @property
    def is_return(self):
        return self.units is not None and self.units < 0


def drop_repeats(good, everywhere):
    by_line = defaultdict(list)
    for row in good:
        if row.line:
            by_line[row.bought_in, row.basket, row.line].append(row)
    for rows in by_line.values():
        first = min(rows, key=lambda row: (row.time, row.file, row.product, *row.size))
        for row in rows:
            if row is not first:
                row.reasons = {"duplicate"}
    by_content = defaultdict(lambda: defaultdict(list))
    for row in good:
        if not row.reasons:
            by_content[row.content][row.file].append(row)
    for files in by_content.values():
        kept = max(files, key=lambda file: (len(files[file]), file))
        for file, rows in files.items():
            for at, row in enumerate(rows):
                if file != kept or (everywhere and at > 0):
                    row.reasons = {"duplicate"}


def net(rows, *, by_time):
    """A stack: a sale pushes its units, a return takes them from the top."""
    stack = []

    def order(row):
        first = (row.time, row.is_return) if by_time else (row.is_return, row.time)
        return (*first, row.basket or "", *row.size)

    for row in sorted(rows, key=order):
        if not row.is_return:
            stack.append(row)
            continue
        while row.left > 1e-9 and stack:
            taken = min(row.left, stack[-1].left)
            row.left -= taken
            stack[-1].left -= taken
            if stack[-1].left < 1e-9:
                stack.pop()


def grouped(rows, key):
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups.values()


def reference(rows, *, everywhere=False):
    """(lines, reasons of every row)."""
    good = [row for row in rows if not row.reasons]
    drop_repeats(good, everywhere)
    good = [row for row in good if not row.reasons]
    for group in grouped(good, lambda row: (row.bought_in, row.product)):
        net(group, by_time=False)
    open_ = [row for row in good if row.left > 1e-9 and row.customer]
    for group in grouped(open_, lambda row: (row.customer, row.product)):
        net(group, by_time=True)
    for row in good:
        whole = 1.0 if row.units is None else abs(row.units)
        if row.is_return:
            row.reasons = {"return_matched"} if row.left < whole else set()
            row.reasons |= {"return_unmatched"} if row.left > 0 else set()
        elif row.left == 0:
            row.reasons = {"cancelled"}
    kept = [row for row in good if not row.reasons]
    lines = {}
    for group in grouped(kept, lambda row: (row.basket, row.product, row.time.date())):
        first = group[0]
        lines[first.basket, first.product, first.time.date()] = (
            len(group), min(row.time for row in group), min(row.shop for row in group),
            total([row.left for row in group if row.units is not None or row.left < 1]),
            total([row.money() for row in group if row.paid is not None]),
        )  # fmt: skip
    return lines


def total(values):
    return (sum(values) if isinstance(values[0], Decimal) else round(sum(values), 6)) if values else None


WINDOW = (date(2025, 1, 1), date(2025, 1, 3))


@pytest.mark.parametrize(
    ("everywhere", "policy", "window"),
    [(False, "keep", (None, None)), (True, "return", (None, None)), (False, "reject", WINDOW)],
)
def test_clean_agrees_with_a_loop(spark, memory_io, key_file, everywhere, policy, window):
    draw = random.Random(7)
    log, returned = dirty(draw, 400), dirty(draw, 60)
    since, until = window
    rows = [Row(values, since=since, until=until, policy=policy) for values in log]
    rows += [Row(values, from_returns=True, since=since, until=until, policy=policy) for values in returned]
    expected = reference(rows, everywhere=everywhere)
    io = memory_io(
        {"raw_lines": (PLAIN, log), "raw_returns": (PLAIN, returned), "raw_products": (PRODUCT, PRODUCTS)}
    )
    run(
        io,
        settings(
            *MAPPED, f"privacy.key_file={key_file}", f'clean.duplicates="{"everywhere" if everywhere else "across_files"}"',
            f'clean.non_positive_amount="{policy}"', 'input.returns="x"',
            f'clean.since="{since or ""}"', f'clean.until="{until or ""}"',
        ),
    )  # fmt: skip
    assert Counter(tuple(sorted(reject.reasons)) for reject in io.read("rejects").collect()) == Counter(
        tuple(sorted(row.reasons)) for row in rows if row.reasons
    )
    assert all(reject.source for reject in io.read("rejects").collect())
    lines = io.read("lines").collect()
    assert len({(line.basket_id, line.product_id, line.sold_on) for line in lines}) == len(lines)
    found = {
        (line.basket_id, line.product_id, line.sold_on): (
            line.source_rows, line.sold_at, line.store_id, line.quantity and round(line.quantity, 6), line.amount
        )
        for line in lines
    }  # fmt: skip
    assert found == expected
    assert len({reason for row in rows for reason in row.reasons}) >= 10  # the data is dirty enough to tell
