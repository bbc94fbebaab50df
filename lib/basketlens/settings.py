"""Every setting, strict: unknown keys, wrong types and values out of range are refused.

Defaults live in conf/base.toml alone.  `settings_files.py` reads the files and layers them.
"""

import codecs
import math
import zoneinfo
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from basketlens.settings_base import Section as _Section
from basketlens.settings_checks import check_time_pattern
from basketlens.settings_clean import CleanSettings
from basketlens.settings_finetune import FinetuneSettings
from basketlens.settings_mine import MineSettings

SHORTEST_SECRET: Final = 16  # characters
SCALE_BY_WIDTH: Final = "1/sqrt(d)"


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


class PrivacySettings(_Section):
    """`[privacy]`: the secret behind customer keys, and the customers behind what is published."""

    key: SecretStr
    key_file: str
    create_key_file: bool
    min_customers: Annotated[int, Field(ge=0, le=1_000_000)]

    @field_validator("key", mode="before")
    @classmethod
    def _as_secret(cls, value: object) -> SecretStr:
        secret = value if isinstance(value, SecretStr) else SecretStr(str(value))
        if 0 < len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError('"" or a secret of 16 characters or more')
        return secret


class EmbedSettings(_Section):
    """`[embed]`: the model that reads product names."""

    model: Annotated[str, Field(min_length=1)]
    download: bool
    local_copy: Literal["auto", "always", "never"]
    pooling: Literal["auto", "mean", "cls", "last"]
    normalize: bool
    prompt: Annotated[str, Field(max_length=1000)]
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["auto", "fp32", "bf16"]
    batch_tokens: Annotated[int, Field(ge=0, le=1048576)]
    max_tokens: Annotated[int, Field(ge=8, le=512)]
    partitions: Annotated[int, Field(ge=0, le=100000)]
    bare_names: bool


class LinkSettings(_Section):
    """`[link]`: attention between items."""

    level: Literal["name", "product"]
    top_k: Annotated[int, Field(ge=1, le=10000)]
    scale: str | float
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["fp32", "bf16"]
    mask: Literal["all", "same_department", "other_category"]
    write_context: bool
    memory_mib: Annotated[int, Field(ge=192, le=1048576)]

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


class ReportSettings(_Section):
    """`[report]`: how both kinds of evidence are weighed and shown."""

    level: Literal["name", "product"]
    prior_baskets: Annotated[float, Field(ge=0, le=1_000_000)]
    popularity_discount: Annotated[float, Field(ge=0, le=1)]
    top: Annotated[int, Field(ge=1, le=1000)]
    html: str


class EaseSettings(_Section):
    """`[ease]`: the linear model of what a basket lacks."""

    max_items: Annotated[int, Field(ge=2, le=20_000)]
    ridge: Annotated[float, Field(gt=0, le=1_000_000)]
    memory_mib: Annotated[int, Field(ge=1, le=1_048_576)]


class ServeSettings(_Section):
    """`[serve]`: what tills and web shops read."""

    companions: Annotated[int, Field(ge=1, le=1000)]
    recommendations: Annotated[int, Field(ge=0, le=1000)]
    memory_mib: Annotated[int, Field(ge=64, le=1_048_576)]


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
    ease: EaseSettings
    serve: ServeSettings
    tables: TablesSettings
    spark: SparkSettings

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        if self.report.level != self.link.level:
            raise ValueError("report.level equal to link.level, or there is no attention to report")
        if self.finetune.enabled and self.finetune.labels.enabled and not self.embed.bare_names:
            raise ValueError(
                "embed.bare_names = true where finetune.labels.enabled is true: it learns from such names"
            )
        return self
