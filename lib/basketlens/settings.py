"""Every setting, strict: unknown keys, wrong types and values out of range are refused.

Defaults live in conf/base.toml alone.  `settings_files.py` reads the files and layers them.
"""

import codecs
import math
import string
import zoneinfo
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from basketlens import columns as c
from basketlens.settings_base import Section as _Section
from basketlens.settings_checks import check_regex, check_time_pattern
from basketlens.settings_gates import GateSettings

Level = Literal["product", "name", "category", "department"]

SHORTEST_SECRET: Final = 16  # characters
SCALE_BY_WIDTH: Final = "1/sqrt(d)"
TRANSACTION_COLUMNS: Final = (
    c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_ID, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT, c.UNIT_PRICE,
    c.LINE_ID, c.PROMOTION, c.RETURNED_BASKET_ID, c.PRODUCT_NAME, c.CATEGORY, c.DEPARTMENT, c.BRAND,
)  # fmt: skip
RETURN_COLUMNS: Final = (
    c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_ID, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT, c.UNIT_PRICE,
)  # fmt: skip
CATALOGUE_COLUMNS: Final = (c.PRODUCT_ID, c.PRODUCT_NAME, c.CATEGORY, c.DEPARTMENT, c.BRAND, c.UNIT_COST)


class InputSettings(_Section):
    """`[input]`: where receipts and catalogue come from."""

    transactions: str
    products: str
    format: Literal["csv", "json", "parquet", "table"]
    products_format: Literal["", "csv", "json", "parquet", "table"]
    returns: str
    returns_format: Literal["", "csv", "json", "parquet", "table"]
    where: str
    delimiter: Annotated[str, Field(min_length=1, max_length=1)]
    encoding: Annotated[str, Field(min_length=1)]
    multiline: bool
    ignore_corrupt_files: bool
    decimal: Literal[".", ","]
    timestamp_formats: list[str]  # Spark datetime patterns, tried in order; "" = ISO 8601
    time_zone: Annotated[str, Field(min_length=1)]

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError("the name of a charset, such as utf-8, latin-1 or gb18030") from None
        return value

    @field_validator("timestamp_formats")
    @classmethod
    def _are_time_patterns(cls, value: list[str]) -> list[str]:
        for pattern in value:
            check_time_pattern(pattern)
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_time_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("a time zone of the tz database, such as Europe/Berlin or UTC") from None
        return value


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

    @field_validator("columns", "product_columns")
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


class PrivacySettings(_Section):
    """`[privacy]`: the secret behind customer keys."""

    key: SecretStr
    key_file: str
    create_key_file: bool
    min_customers: Annotated[int, Field(ge=0, le=0)]  # a floor is refused rather than ignored until it exists

    @field_validator("key", mode="before")
    @classmethod
    def _as_secret(cls, value: object) -> SecretStr:
        secret = value if isinstance(value, SecretStr) else SecretStr(str(value))
        if 0 < len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError('"" or a secret of 16 characters or more')
        return secret


class EmbedSettings(_Section):
    """`[embed]`: the BERT that reads product names."""

    model: Annotated[str, Field(min_length=1)]
    device: Literal["auto", "cpu", "cuda"]
    batch_tokens: Annotated[int, Field(ge=64, le=1048576)]
    max_tokens: Annotated[int, Field(ge=8, le=512)]
    partitions: Annotated[int, Field(ge=0, le=100000)]


class LinkSettings(_Section):
    """`[link]`: attention between items."""

    level: Literal["name", "product"]
    top_k: Annotated[int, Field(ge=1, le=10000)]
    scale: str | float
    query_block: Annotated[int, Field(ge=64, le=1048576)]
    key_shard: Annotated[int, Field(ge=64, le=16777216)]

    @field_validator("scale", mode="before")
    @classmethod
    def _is_scale(cls, value: object) -> str | float:
        if value == SCALE_BY_WIDTH:
            return SCALE_BY_WIDTH
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
            return float(value)
        raise ValueError(f'"{SCALE_BY_WIDTH}" or a number above 0')

    def scale_for(self, width: int) -> float:
        """The factor before the softmax for embeddings of `width` numbers."""
        return 1 / math.sqrt(width) if isinstance(self.scale, str) else self.scale


class MineSettings(_Section):
    """`[mine]`: frequent itemsets and rules."""

    levels: Annotated[list[Level], Field(min_length=1)]
    min_count: Annotated[int, Field(ge=0)]
    min_support: Annotated[float, Field(gt=0, le=1)]
    min_confidence: Annotated[float, Field(ge=0, le=1)]
    max_size: Annotated[int, Field(ge=2, le=12)]
    max_pairs: Annotated[int, Field(ge=1000, le=200_000_000)]
    partitions: Annotated[int, Field(ge=0, le=100000)]

    @field_validator("min_count")
    @classmethod
    def _not_one(cls, value: int) -> int:
        if value == 1:  # every subset of every basket would be frequent
            raise ValueError("0 (use min_support), or 2 and more")
        return value

    @field_validator("levels")
    @classmethod
    def _distinct(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("a list that names each level once")
        return value

    def count_for(self, baskets: int) -> int:
        """Baskets that an itemset must appear in when there are `baskets` in all; never below 2."""
        if self.min_count:
            return self.min_count
        # Guard against 0.1 * 30 = 3.0000000000000004, which would ask for 4 baskets.
        return max(2, math.ceil(self.min_support * baskets - 1e-9))


class FinetuneSettings(_Section):
    """`[finetune]`: reserved; only "off" is accepted, so that nobody believes a model was trained."""

    enabled: Literal[False]


class ReportSettings(_Section):
    """`[report]`: how both kinds of evidence are weighed and shown."""

    level: Literal["name", "product"]
    prior_baskets: Annotated[float, Field(ge=0, le=1_000_000)]
    popularity_discount: Annotated[float, Field(ge=0, le=1)]
    top: Annotated[int, Field(ge=1, le=1000)]
    html: str


class ServeSettings(_Section):
    """`[serve]`: what tills and web shops read."""

    companions: Annotated[int, Field(ge=1, le=1000)]


class TablesSettings(_Section):
    """`[tables]`: where tables live."""

    root: str
    format: Literal["parquet"]
    min_free_gib: Annotated[float, Field(ge=0, le=100000)]
    read: dict[str, str]


class SparkSettings(_Section):
    """`[spark]`: which properties file the job is submitted with."""

    properties: Annotated[str, Field(min_length=1)]
    master: str


class Settings(_Section):
    """All sections."""

    input: InputSettings
    clean: CleanSettings
    privacy: PrivacySettings
    embed: EmbedSettings
    link: LinkSettings
    mine: MineSettings
    finetune: FinetuneSettings
    report: ReportSettings
    serve: ServeSettings
    tables: TablesSettings
    spark: SparkSettings

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        if self.report.level != self.link.level:
            raise ValueError("report.level equal to link.level, or there is no attention to report")
        return self
