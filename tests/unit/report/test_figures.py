from datetime import datetime

from basketlens import schemas
from basketlens.report import figures
from basketlens.report.page import Reason

LINES = [
    {
        "basket_id": "1",
        "product_id": "p",
        "sold_at": datetime(2017, 3, 1, 9),
        "customer_key": "k",
        "source_rows": 2,
    },
    {"basket_id": "2", "product_id": "q", "sold_at": datetime(2017, 5, 1, 9), "source_rows": 1},
]


def tables(rows, lines, **given):
    return {
        "lines": lines,
        "rejects": None,
        "products": rows.of(schemas.PRODUCTS, {"product_id": "p", "category": "tea"}, {"product_id": "q"}),
        "items": rows.items({"a": "A", "b": "B"}).unionByName(rows.items({"x": "X"}, level="category")),
        "itemsets": rows.itemsets({("a",): 2, ("b",): 2, ("a", "b"): 2}, n=9),
        "rules": rows.of(schemas.RULES, {"level": "name"}),
        "links": rows.links(("a", "b", 0.1, 1.0)),
        "link_stats": rows.link_stats({"a": 1.0, "b": 1.0}),
        **given,
    }


def test_headline_counts_every_table(rows):
    rejects = rows.of(schemas.REJECTS, {"reasons": ["no_name"]}, {"reasons": ["no_name", "not_sold"]})
    given = tables(rows, rows.of(schemas.LINES, *LINES), rejects=rejects)
    found = figures.as_figures(figures.headline(**given, level="name").toPandas())
    assert (found.lines, found.kept_rows, found.rejected, found.source_rows) == (2, 3, 2, 5)
    assert (found.first_sale, found.last_sale) == (datetime(2017, 3, 1, 9), datetime(2017, 5, 1, 9))
    assert (found.lines_with_customer, found.products, found.products_without_category) == (1, 2, 1)
    assert (found.items, found.items_sold, found.baskets, found.itemsets, found.largest_itemset) == (
        2,
        2,
        9,
        3,
        2,
    )
    assert (found.rules, found.links, found.linked_items) == (1, 1, 2)


def test_a_users_own_lines_need_no_source_rows_and_no_rejects(rows):
    own = rows.of(schemas.LINES, *LINES).drop("source_rows")
    found = figures.as_figures(figures.headline(**tables(rows, own), level="name").toPandas())
    assert (found.kept_rows, found.rejected, found.source_rows) == (2, None, 2)


def test_empty_tables_give_zeros_and_unknowns(rows):
    empty = {
        name: frame.limit(0) for name, frame in tables(rows, rows.of(schemas.LINES, *LINES)).items() if frame
    }
    found = figures.as_figures(figures.headline(**empty, rejects=None, level="name").toPandas())
    assert (found.lines, found.first_sale, found.baskets, found.largest_itemset) == (0, None, None, None)


def test_a_row_with_two_reasons_counts_for_both(rows):
    rejects = rows.of(
        schemas.REJECTS,
        {"reasons": ["b"]},
        {"reasons": ["a", "b"]},
        {"reasons": ["c"]},
        {"reasons": ["a"]},
        {"reasons": ["b"]},
    )
    found = figures.as_reasons(figures.rejects_per_reason(rejects).toPandas())
    assert found == (Reason("b", 3), Reason("a", 2), Reason("c", 1))
