"""Rows that nobody would think of, by hypothesis, and what must hold for them whatever they are."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from basketlens.clean.stage import run
from tests import builders

PRODUCTS = (
    {},
    {"sku": "p2", "title": "Tea"},
    {"sku": "p3", "title": "\x00 - "},
    {"sku": "p4", "area": "FUEL"},
)
PLAIN = {**builders.RECEIPT, "line": "", "back": ""}
WILD = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
NUMBERS = st.one_of(
    st.integers(-10, 10).map(str), st.floats(width=64).map(repr), st.decimals(allow_nan=True).map(str), WILD
)
TIMES = st.one_of(st.datetimes().map(str), st.dates().map(str), st.integers().map(str), WILD)
IDS = st.one_of(st.sampled_from(["1", "2", "3", " 1 "]), WILD)
ROWS = st.fixed_dictionaries(
    {
        "receipt": IDS, "card": IDS, "shop": IDS, "line": IDS, "back": IDS,
        "sku": st.one_of(st.sampled_from(["p1", "p2", "p3", "p4"]), WILD),
        "units": st.one_of(st.sampled_from(["1", "2", "-1"]), NUMBERS),
        "paid": st.one_of(st.just("2.50"), NUMBERS),
        "time": st.one_of(st.just("2025-01-31 10:00:00"), TIMES),
        "file": st.sampled_from(["a.csv", "b.csv"]),
    }
)  # fmt: skip
SETTINGS = (
    "clean.columns.line_id=line", "clean.columns.returned_basket_id=back", 'input.products="x"',
    'clean.non_merchandise_departments=["FUEL"]', "clean.gates.rejected.action=off",
)  # fmt: skip


def drawn(strategy: st.SearchStrategy[Any], examples: int, number: int) -> list[Any]:
    """`examples` values of a strategy; the same for the same number."""
    found: list[Any] = []

    @seed(number)
    @settings(max_examples=examples, phases=[Phase.generate], database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def gather(value: Any) -> None:
        found.append(value)

    gather()
    return found


def check(memory_io: Callable[..., Any], rows: list[dict[str, str | None]], key_file: object) -> None:
    """Clean the rows: no crash, and every row is in a line or a reject."""
    io = memory_io({"raw_lines": (PLAIN, rows), "raw_products": (builders.PRODUCT, PRODUCTS)})
    run(io, builders.settings(*SETTINGS, f"privacy.key_file={key_file}"))
    lines, rejects = io.read("lines").collect(), io.read("rejects").collect()
    assert sum(line.source_rows for line in lines) + len(rejects) == len(rows)
    assert len({(line.basket_id, line.product_id, line.sold_on) for line in lines}) == len(lines)
    assert all(line.basket_id.strip(" ") and line.product_id in ("p1", "p2") for line in lines)
    assert all(line.quantity is None or line.quantity > 0 for line in lines)
    assert all(reject.reasons == sorted(set(reject.reasons)) and reject.reasons for reject in rejects)
