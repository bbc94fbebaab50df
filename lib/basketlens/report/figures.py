"""Headline figures and data quality: one row, and one row per reject reason."""

from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.report import evidence
from basketlens.report.findings import whole
from basketlens.report.page import Figures, Reason


def headline(
    *,
    lines: DataFrame,
    rejects: DataFrame | None,
    products: DataFrame,
    items: DataFrame,
    itemsets: DataFrame,
    rules: DataFrame,
    links: DataFrame,
    link_stats: DataFrame,
    level: str,
) -> DataFrame:
    """One row with a column for each field of `Figures`; every table is scanned once, without a distinct."""
    refused = rejects.agg(F.count("*").alias("rejected")) if rejects is not None else lines.sparkSession.range(1).select(
        F.lit(None).cast("long").alias("rejected")
    )  # fmt: skip
    return (
        _sales(lines)
        .crossJoin(refused)
        .crossJoin(
            products.agg(
                F.count("*").alias("products"),
                F.count_if(F.col(c.CATEGORY).isNull()).alias("products_without_category"),
            )
        )
        .crossJoin(
            items.filter(F.col(c.LEVEL) == level).agg(
                F.count("*").alias("items"), F.count_if(F.col(c.LINES) > 0).alias("items_sold")
            )
        )
        .crossJoin(itemsets.agg(F.count("*").alias("itemsets"), F.max(c.SIZE).alias("largest_itemset")))
        .crossJoin(evidence.basket_total(itemsets).withColumnRenamed(c.N, "baskets"))
        .crossJoin(rules.agg(F.count("*").alias("rules")))
        .crossJoin(links.agg(F.count("*").alias("links")))
        .crossJoin(_sold(link_stats, items, level).agg(F.count("*").alias("linked_items")))
    )


def _sales(lines: DataFrame) -> DataFrame:
    # A user's own lines need not say how many source rows they were merged from.
    merged = F.sum(c.SOURCE_ROWS) if c.SOURCE_ROWS in lines.columns else F.count("*")
    return lines.agg(
        F.count("*").alias("lines"),
        F.coalesce(merged, F.lit(0)).alias("kept_rows"),
        F.min(c.SOLD_AT).alias("first_sale"),
        F.max(c.SOLD_AT).alias("last_sale"),
        F.count(c.CUSTOMER_KEY).alias("lines_with_customer"),
    )


def _sold(link_stats: DataFrame, items: DataFrame, level: str) -> DataFrame:
    """Statistics of the items that were sold: those that attention is shared among."""
    sold = items.filter((F.col(c.LEVEL) == level) & (F.col(c.LINES) > 0)).select(c.ITEM_ID)
    return link_stats.join(sold, c.ITEM_ID, "left_semi")


def about_large_baskets(data_quality: DataFrame) -> DataFrame:
    """One row at most: detail, what the last mining said of baskets that were too large; null when there were none."""
    said = data_quality.filter(F.col(c.METRIC) == "large_baskets")
    return said.orderBy(F.col(c.MEASURED_AT).desc(), c.RUN_ID).limit(1).select(c.DETAIL)


def rejects_per_reason(rejects: DataFrame) -> DataFrame:
    """reason, rows: rejected rows that have the reason; a row with two reasons counts for both."""
    reasons = rejects.select(F.explode(c.REASONS).alias("reason"))
    return reasons.groupBy("reason").agg(F.count("*").alias("rows")).orderBy(F.col("rows").desc(), "reason")


def as_figures(frame: pd.DataFrame) -> Figures:
    """The row of `headline` as the page takes it."""
    row = frame.iloc[0]
    first, last = (
        None if pd.isna(row[name]) else row[name].to_pydatetime() for name in ("first_sale", "last_sale")
    )
    counts: dict[str, Any] = {
        name: whole(row[name]) for name in frame.columns if name not in ("first_sale", "last_sale")
    }
    return Figures(first_sale=first, last_sale=last, **counts)


def as_reasons(frame: pd.DataFrame) -> tuple[Reason, ...]:
    """Rows of `rejects_per_reason` as the page takes them."""
    return tuple(
        Reason(str(reason), int(rows)) for reason, rows in zip(frame["reason"], frame["rows"], strict=True)
    )
