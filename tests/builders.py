"""Small literal tables: each row says what differs from a plain one."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from basketlens.settings import Settings
from basketlens.settings_files import load_settings

# A receipt as a shop's export has it: everything is text.
RECEIPT: Mapping[str, str] = {
    "receipt": "b1", "sku": "p1", "card": "c1", "shop": "s1", "time": "2025-01-31 10:00:00", "units": "1", "paid": "2.50",
}  # fmt: skip
PRODUCT: Mapping[str, str] = {
    "sku": "p1",
    "title": "Oat milk",
    "group": "MILK",
    "area": "GROCERY",
    "maker": "own",
    "cost": "1",
}
COLUMNS: Mapping[str, str] = {
    "basket_id": "receipt", "product_id": "sku", "customer_id": "card", "store_id": "shop", "sold_at": "time",
    "quantity": "units", "amount": "paid",
}  # fmt: skip
PRODUCT_COLUMNS: Mapping[str, str] = {
    "product_id": "sku", "product_name": "title", "category": "group", "department": "area", "brand": "maker", "unit_cost": "cost",
}  # fmt: skip


def settings(*assignments: str, **environ: str) -> Settings:
    """base.toml with the columns of `RECEIPT` and `PRODUCT`, and whatever the test sets."""
    mapped = [f'clean.columns.{ours}="{source}"' for ours, source in COLUMNS.items()]
    mapped += [f'clean.product_columns.{ours}="{source}"' for ours, source in PRODUCT_COLUMNS.items()]
    return load_settings("base", [*mapped, *assignments], environ)


def text_rows(spark: SparkSession, plain: Mapping[str, str], *rows: Mapping[str, str | None]) -> DataFrame:
    """Rows of strings; each is `plain` with what it names replaced."""
    kind = T.StructType([T.StructField(name, T.StringType()) for name in plain])
    return spark.createDataFrame([tuple({**plain, **row}.values()) for row in rows], kind)


def table(spark: SparkSession, contract: T.StructType, *rows: Mapping[str, Any]) -> DataFrame:
    """Rows of a contract; columns that a row does not name are null."""
    return spark.createDataFrame([tuple(row.get(name) for name in contract.names) for row in rows], contract)
