"""Receipt lines as baskets, with the item ids of every level."""

from collections.abc import Mapping, Sequence
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.facts import CUSTOMER, DAY, MONEY, STRATUM_KEY, basket_facts

BASKET: Final = "basket"  # long, stands for the basket id: shorter to shuffle
N_LINES: Final = "n_lines"  # long, receipt lines of the basket
ITEM_OF: Final[Mapping[str, str]] = {
    "product": c.PRODUCT_ID,
    "name": c.NAME_HASH,
    "category": c.CATEGORY,
    "department": c.DEPARTMENT,
}


def needs_catalogue(levels: Sequence[str]) -> bool:
    """Whether some level's item is not on the receipt line itself."""
    return any(level != "product" for level in levels)


def items_per_basket(
    lines: DataFrame, products: DataFrame | None, levels: Sequence[str], *, stratify: str
) -> DataFrame:
    """One row per basket of `lines`, also when none of its lines has an item: support is a share of all baskets.

    Args:
        lines: from `facts.with_facts`.
        products: one row per product_id; None when no level needs it.
        levels: any of product, name, category, department.
        stratify: `mine.stratify`.

    Returns:
        basket (long), basket_id, n_lines (long), the columns of `facts.basket_facts`, and for each level a column of
        its name: the distinct item ids in
        no order, without nulls.
    """
    sold = lines.select(c.BASKET_ID, c.PRODUCT_ID, CUSTOMER, MONEY, DAY, STRATUM_KEY)
    if products is not None:
        wanted = [ITEM_OF[level] for level in levels if level != "product"]
        sold = sold.join(products.select(c.PRODUCT_ID, *wanted), c.PRODUCT_ID, "left")
    item_sets = [F.collect_set(ITEM_OF[level]).alias(level) for level in levels]  # leaves nulls out
    facts = basket_facts({level: ITEM_OF[level] for level in levels}, stratify=stratify)
    grouped = sold.groupBy(c.BASKET_ID).agg(F.count("*").alias(N_LINES), *item_sets, *facts)
    return grouped.select(F.monotonically_increasing_id().alias(BASKET), *grouped.columns)


def sold_items(baskets: DataFrame, level: str) -> DataFrame:
    """Basket and item_id, each pair once."""
    return baskets.select(BASKET, F.explode(level).alias(c.ITEM_ID))
