"""`[mine]` of the settings."""

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from basketlens.settings_rules import RuleSettings

Level = Literal["product", "name", "category", "department"]
# mine/measures.py computes these; a test holds both lists equal.
ExtraMeasure = Literal[
    "zhang", "jaccard", "cosine", "kulczynski", "imbalance_ratio", "certainty", "phi", "odds_ratio", "yule_q", "yule_y",
    "relative_risk", "added_value", "all_confidence", "max_confidence", "j_measure", "gini", "mutual_information", "kappa",
    "laplace", "chi_squared", "hyper_lift", "hyper_confidence", "coverage",
]  # fmt: skip


class MineSettings(RuleSettings):
    """`[mine]`: frequent itemsets and rules."""

    levels: Annotated[list[Level], Field(min_length=1)]
    min_count: Annotated[int, Field(ge=0)]
    min_support: Annotated[float, Field(gt=0, le=1)]
    min_confidence: Annotated[float, Field(ge=0, le=1)]
    max_size: Annotated[int, Field(ge=2, le=30)]
    max_pairs: Annotated[int, Field(ge=1000, le=200_000_000)]
    partitions: Annotated[int, Field(ge=0, le=100000)]
    max_consequent: Annotated[int, Field(ge=1, le=11)]
    measures: list[ExtraMeasure]
    holdout: Annotated[float, Field(ge=0, le=0.5)]
    stratify: Literal["", "store", "week", "promotion"]
    max_strata: Annotated[int, Field(ge=2, le=100_000)]
    engine: Literal["mllib", "bitmap"]
    max_itemsets: Annotated[int, Field(ge=100, le=10_000_000_000)]
    over_limit: Literal["stop", "raise"]
    max_basket_items: Annotated[int, Field(ge=2, le=100_000)]
    large_baskets: Literal["truncate", "exclude"]

    @field_validator("min_count")
    @classmethod
    def _not_one(cls, value: int) -> int:
        if value == 1:  # every subset of every basket would be frequent
            raise ValueError("0 (use min_support), or 2 and more")
        return value

    @field_validator("levels", "measures")
    @classmethod
    def _distinct(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("a list that names each of them once")
        return value

    @model_validator(mode="after")
    def _templates_fit(self) -> "MineSettings":
        self.check_templates(self.levels)
        return self

    def count_for(self, baskets: int) -> int:
        """Baskets that an itemset must appear in when there are `baskets` in all; never below 2."""
        if self.min_count:
            return self.min_count
        # Guard against 0.1 * 30 = 3.0000000000000004, which would ask for 4 baskets.
        return max(2, math.ceil(self.min_support * baskets - 1e-9))
