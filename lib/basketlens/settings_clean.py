"""`[clean]` of the settings: how source columns become ours, and which rows are no lines."""

import string
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from basketlens import columns as c
from basketlens.settings_base import Section as _Section
from basketlens.settings_checks import check_regex
from basketlens.settings_gates import GateSettings

TRANSACTION_COLUMNS: Final = (
    c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_ID, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT, c.UNIT_PRICE,
    c.LINE_ID, c.PROMOTION, c.RETURNED_BASKET_ID, c.PRODUCT_NAME, c.CATEGORY, c.DEPARTMENT, c.BRAND,
)  # fmt: skip
RETURN_COLUMNS: Final = (
    c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_ID, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT, c.UNIT_PRICE,
)  # fmt: skip
CATALOGUE_COLUMNS: Final = (c.PRODUCT_ID, c.PRODUCT_NAME, c.CATEGORY, c.DEPARTMENT, c.BRAND, c.UNIT_COST)


class CleanSettings(_Section):
    """`[clean]`: how source columns become ours, and which rows are no lines."""

    columns: dict[str, str]  # our name -> source column of the transactions, or "=" and an SQL expression
    product_columns: dict[str, str]  # the same for the catalogue
    return_columns: dict[str, str]  # the same for the feed of returns
    duplicates: Literal["across_files", "everywhere"]
    non_positive_amount: Literal["keep", "reject", "return"]
    name_template: str
    abbreviations: dict[str, str]
    since: str  # YYYY-MM-DD in input.time_zone, the first day; "" = from the first
    until: str  # YYYY-MM-DD, the first day that is not read any more; "" = to the last
    max_name_length: Annotated[int, Field(ge=10, le=2000)]
    non_merchandise_departments: list[str]
    non_merchandise_categories: list[str]
    non_merchandise_codes: list[str]
    non_merchandise_names: list[str]  # regular expressions, searched in the plain name
    gates: GateSettings

    @property
    def template_columns(self) -> tuple[str, ...]:
        """Names between braces in the template, in order."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.name_template) if name)

    @field_validator("since", "until", mode="before")
    @classmethod
    def _is_day(cls, value: object) -> object:
        """TOML has dates of its own, which `--set clean.since=2025-01-31` becomes."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, str) and value:
            try:
                is_day = date.fromisoformat(value).isoformat() == value
            except ValueError:
                is_day = False
            if not is_day:
                raise ValueError('"" or a day of the calendar as YYYY-MM-DD')
        return value

    @field_validator("name_template")
    @classmethod
    def _is_template(cls, value: str) -> str:
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(value) if name is not None]
        except ValueError as error:
            raise ValueError(f"text with {{column}} places; this one cannot be read: {error}") from error
        if value and not all(names):
            raise ValueError("text in which every {} names a source column")
        return value

    @field_validator("columns", "product_columns", "return_columns")
    @classmethod
    def _are_sources(cls, value: dict[str, str]) -> dict[str, str]:
        if empty := [name for name, source in value.items() if source.strip() == "="]:
            raise ValueError(f'an SQL expression behind the "=" of {empty[0]}; there is none')
        return value

    @field_validator("non_merchandise_names")
    @classmethod
    def _are_regexes(cls, value: list[str]) -> list[str]:
        for pattern in value:
            check_regex(pattern)
        return value

    @model_validator(mode="after")
    def _known_columns(self) -> "CleanSettings":
        for where, given, ours in (
            ("columns", self.columns, TRANSACTION_COLUMNS),
            ("product_columns", self.product_columns, CATALOGUE_COLUMNS),
            ("return_columns", self.return_columns, RETURN_COLUMNS),
        ):
            unknown = sorted(set(given) - set(ours) - set(self.template_columns))
            if unknown:
                raise ValueError(
                    f"in clean.{where} only {', '.join(ours)}, or a name that clean.name_template uses;"
                    f" found {', '.join(unknown)}"
                )
        for name in (c.BASKET_ID, c.PRODUCT_ID):
            if not self.columns.get(name):
                raise ValueError(f"a source column for clean.columns.{name}: no run can do without it")
        return self

    @model_validator(mode="after")
    def _window_can_be_told(self) -> "CleanSettings":
        if (self.since or self.until) and not self.columns.get(c.SOLD_AT):
            raise ValueError(
                f"a source column for clean.columns.{c.SOLD_AT} when clean.since or clean.until (--since, --until)"
                " is given: without times no row has a day"
            )
        if self.since and self.until and self.since >= self.until:
            raise ValueError(
                f"clean.until after clean.since: until = {self.until} is the first day that is not read,"
                f" and since = {self.since} the first that is"
            )
        return self
