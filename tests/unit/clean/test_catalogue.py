from basketlens.clean.stage import run
from tests.builders import PRODUCT, RECEIPT, settings

NO_CUSTOMER = "clean.columns.customer_id="


def products(io):
    return {row.product_id: row for row in io.read("products").collect()}


def test_catalogue_rows_become_products(spark, memory_io):
    rows = [
        {},
        {"sku": "p2", "title": "&lt;b&gt;FRZN peas", "group": " ", "cost": "?"},
        {"sku": "p3", "area": "fuel"},
        {"sku": " ", "title": "no id"},
    ]
    io = memory_io({"raw_lines": (RECEIPT, [{}]), "raw_products": (PRODUCT, rows)})
    run(io, settings(NO_CUSTOMER, 'input.products="x"', 'clean.non_merchandise_departments=["Fuel"]'))
    found = products(io)
    assert set(found) == {"p1", "p2", "p3"}
    assert (found["p1"].product_name, found["p1"].unit_cost, found["p1"].label_source) == (
        "oat milk",
        1.0,
        "given",
    )
    assert (found["p2"].product_name, found["p2"].category, found["p2"].unit_cost) == (
        "frozen peas",
        None,
        None,
    )
    assert found["p2"].label_source == "none"
    assert [found[p].is_merchandise for p in ("p1", "p2", "p3")] == [True, True, False]


def test_of_several_names_the_most_frequent_then_the_latest_then_the_alphabet_wins(spark, memory_io):
    plain = {**RECEIPT, "title": "x"}
    rows = [
        {"sku": "often", "title": "b", "time": "2025-01-01 00:00:00"},
        {"sku": "often", "title": "b", "time": "2025-01-01 00:00:00"},
        {"sku": "often", "title": "a", "time": "2025-01-09 00:00:00"},
        {"sku": "latest", "title": "a", "time": "2025-01-01 00:00:00"},
        {"sku": "latest", "title": "b", "time": "2025-01-02 00:00:00"},
        {"sku": "alphabet", "title": "b"},
        {"sku": "alphabet", "title": "a"},
    ]
    io = memory_io({"raw_lines": (plain, rows)})
    run(io, settings(NO_CUSTOMER, "clean.columns.product_name=title", "input.products="))
    assert {k: v.product_name for k, v in products(io).items()} == {
        "often": "b",
        "latest": "b",
        "alphabet": "a",
    }


def test_one_name_with_two_codes_is_one_item(spark, memory_io):
    lines = [{}, {"receipt": "b2", "sku": "p2"}]
    catalogue = [
        {"area": "KITCHEN"},
        {"sku": "p2", "title": "OAT  milk"},
        {"sku": "p3", "title": "Tea", "group": "TEA"},
    ]
    io = memory_io({"raw_lines": (RECEIPT, lines), "raw_products": (PRODUCT, catalogue)})
    run(io, settings(NO_CUSTOMER, 'input.products="x"'))
    rows = io.read("items").collect()
    assert {row.department for row in rows if (row.level, row.item_name) == ("name", "oat milk")} == {
        "GROCERY"
    }
    assert {row.department for row in rows if row.level == "department"} == {"GROCERY", "KITCHEN"}
    found = {
        (row.level, row.item_name): row.lines for row in rows if (row.level, row.lines) != ("product", 1)
    }
    assert found == {
        ("product", "tea"): 0,
        ("name", "oat milk"): 2,
        ("name", "tea"): 0,
        ("category", "MILK"): 2,
        ("category", "TEA"): 0,
        ("department", "GROCERY"): 1,
        ("department", "KITCHEN"): 1,
    }


SOLD_WITH_GOODS = [
    "Postage", "DOTCOM POSTAGE", "Delivery fee", "Next day carriage", "Bank Charges", "Amazon fee", "Bottle deposits",
    "CRV deposit nt/f", "Carrier bag", "5p carrier bag", "Bag levy", "E-gift card", "Gift Voucher £20.00",
    "Outside vendors gift cards, misc items", "Gasoline-regular unleaded, fuel", "Diesel", "Petrol 95", "Coupon",
    "Coupons/store & mfg", "Donations", "Discount",
]  # fmt: skip
GOODS = [
    "Trash bags", "Gift bag", "Gift-wrap everyday", "Gas relief", "Lighter fuel", "Fuel additive", "Gas cans and funnels",
    "Coupon book", "Coupon wallet", "Gift card holder", "Postage scale", "Coffee", "Toffees", "Tea bags & bulk tea",
    "Lime deposit remover", "Night deposit bag", "Diesel jeans", "Shipping tape", "Turbo charge cable", "Doorbell, service bell",
    "Milk, delivery brand", "Soft drinks bottle returnable, coupon aisle", "Shopping bag", "Card game",
]  # fmt: skip


def test_what_is_sold_with_goods_is_told_from_goods_by_name(spark, memory_io):
    rows = [{"sku": title, "title": title, "group": "x"} for title in [*SOLD_WITH_GOODS, *GOODS]]
    io = memory_io({"raw_lines": (RECEIPT, [{"sku": "Coffee"}]), "raw_products": (PRODUCT, rows)})
    run(io, settings(NO_CUSTOMER, 'input.products="x"'))
    found = products(io)
    assert [title for title in SOLD_WITH_GOODS if found[title].is_merchandise] == []
    assert [title for title in GOODS if not found[title].is_merchandise] == []


def test_codes_and_names_of_no_merchandise(spark, memory_io):
    rows = [
        {"sku": "Dummy1 "},
        {"sku": "p2", "title": "Tap water, 1 l"},
        {"sku": "p3", "title": " "},
        {"sku": "p4"},
    ]
    io = memory_io({"raw_lines": (RECEIPT, [{"sku": "p4"}]), "raw_products": (PRODUCT, rows)})
    rules = ('clean.non_merchandise_codes=["DUMMY1"]', "clean.non_merchandise_names=['^tap .*\\d l$']")
    run(io, settings(NO_CUSTOMER, 'input.products="x"', *rules))
    found = {product: row.is_merchandise for product, row in products(io).items()}
    assert found == {"Dummy1": False, "p2": False, "p3": True, "p4": True}
