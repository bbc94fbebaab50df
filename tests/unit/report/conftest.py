"""Small literal tables, and page data, for the tests of the report."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from basketlens import schemas
from basketlens.report.page import Figures, Finding, PageData, Rule, RuleCounts


class Rows:
    """DataFrames with a contract's columns from dicts; what a dict leaves out is null."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def of(self, contract: Any, *rows: dict[str, Any]) -> DataFrame:
        filled = [tuple(row.get(name) for name in contract.names) for row in rows]
        return self._spark.createDataFrame(filled, contract)

    def itemsets(self, counts: dict[tuple[str, ...], int], *, n: int, level: str = "name") -> DataFrame:
        rows = [
            {"level": level, "items": list(items), "size": len(items), "count": count, "support": count / n}
            for items, count in counts.items()
        ]
        return self.of(schemas.ITEMSETS, *rows)

    def links(self, *rows: tuple[str, str, float, float]) -> DataFrame:
        """Item, neighbour, score, attention."""
        return self._spark.createDataFrame([(i, j, 0, s, a) for i, j, s, a in rows], schemas.LINKS)

    def link_stats(self, log_sum_exp: dict[str, float]) -> DataFrame:
        return self.of(
            schemas.LINK_STATS, *({"item_id": i, "log_sum_exp": lse} for i, lse in log_sum_exp.items())
        )

    def items(self, names: dict[str, str], *, level: str = "name", lines: int = 1) -> DataFrame:
        rows = [
            {"item_id": i, "level": level, "item_name": name, "lines": lines} for i, name in names.items()
        ]
        return self.of(schemas.ITEMS, *rows)

    def vectors(self, embeddings: dict[str, list[float]]) -> DataFrame:
        return self._spark.createDataFrame(list(embeddings.items()), "item_id string, embedding array<float>")


@pytest.fixture(scope="session")
def rows(spark: SparkSession) -> Rows:
    return Rows(spark)


FINDING = Finding(
    item="tea",
    neighbor="milk",
    n_ab=321,
    n_a=1234,
    n_b=5000,
    n=100_000,
    confidence=321 / 1234,
    lift=5.2,
    score=0.04,
    multiple=1.03,
    strength=0.24,
    kind="complement",
)
FIGURES = Figures(
    lines=900,
    kept_rows=950,
    lines_with_customer=450,
    first_sale=datetime(2017, 1, 1, 7),
    last_sale=datetime(2017, 12, 31, 22),
    rejected=50,
    products=40,
    products_without_category=4,
    items=30,
    items_sold=25,
    baskets=100_000,
    itemsets=77,
    largest_itemset=3,
    rules=12,
    links=60,
    linked_items=30,
)
RULE = Rule(
    antecedent=("bread", "tea"),
    consequent=("jam",),
    n_ab=40,
    n_a=160,
    confidence=0.25,
    lift=5.0,
    lift_low=3.1,
    lift_high=8.06,
    log10_q=-12.2,
    customers=35,
    holdout_lift=None,
    extra_revenue=1234.5,
)
PAGE = PageData(
    run_id="20250131T040000-9f2c",
    created_at=datetime(2025, 1, 31, 4, 0, tzinfo=UTC),
    level="name",
    prior=100.0,
    discount=0.25,
    figures=FIGURES,
    reasons=(),
    top=(FINDING,),
    substitutes=(),
    newcomers=(),
    plotted=(FINDING,),
    rules=(RULE,),
    rule_counts=RuleCounts(
        rules=12, redundant=4, uncertain=1, held_out=7, born=1, died=2, moved=3, stable=1234
    ),
)


@pytest.fixture
def page() -> PageData:
    return replace(PAGE)
