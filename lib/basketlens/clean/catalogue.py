"""The catalogue: one row per product, with a plain name."""

from collections.abc import Mapping
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.mapping import number, text
from basketlens.clean.names import composed, with_plain_name
from basketlens.settings import Settings
from basketlens.settings_clean import CleanSettings

_LABELS = (c.PRODUCT_NAME, c.CATEGORY, c.DEPARTMENT, c.BRAND, c.UNIT_COST)


def products_of(rows: DataFrame, mapped: Mapping[str, str], settings: Settings, sold: Column) -> DataFrame:
    """One row per product id of `rows` (a catalogue, or transactions that carry names).

    Args:
        rows: source rows.
        mapped: our name -> source column.
        settings: `[clean]`, and `[input]` for numbers in text.
        sold: when the row was seen, for ties; null in a catalogue.
    """
    clean, cost = settings.clean, mapped.get(c.UNIT_COST)
    labelled = rows.select(
        text(rows, mapped, c.PRODUCT_ID).alias(c.PRODUCT_ID),
        source_name(rows, mapped, clean.name_template).alias(c.PRODUCT_NAME),
        *(text(rows, mapped, name).alias(name) for name in (c.CATEGORY, c.DEPARTMENT, c.BRAND)),
        (number(rows, cost, "DOUBLE", settings.input) if cost else F.lit(None).cast("double")).alias(
            c.UNIT_COST
        ),
        sold.alias(c.SOLD_AT),
    ).filter(F.col(c.PRODUCT_ID).isNotNull())
    return (
        labelled.transform(most_frequent_labels)
        .transform(with_plain_name, abbreviations=clean.abbreviations, longest=clean.max_name_length)
        .transform(with_is_merchandise, clean)
        .withColumn(c.LABEL_SOURCE, F.when(F.col(c.CATEGORY).isNull(), "none").otherwise("given"))
    )


def source_name(rows: DataFrame, mapped: Mapping[str, str], template: str) -> Column:
    """The name as the source has it: composed by the template, or the mapped name."""
    if not template:
        return text(rows, mapped, c.PRODUCT_NAME)
    return composed(template, lambda name: text(rows, mapped if mapped.get(name) else {name: name}, name))


def most_frequent_labels(rows: DataFrame) -> DataFrame:
    """One row per product: its most frequent labels; ties by the latest, then alphabetically."""
    counted = rows.groupBy(c.PRODUCT_ID, *_LABELS).agg(
        F.count("*").alias("times"), F.max(c.SOLD_AT).alias("latest")
    )
    order = [F.desc("times"), F.desc_nulls_last("latest"), *(F.asc_nulls_last(name) for name in _LABELS)]
    place = F.row_number().over(Window.partitionBy(c.PRODUCT_ID).orderBy(*order))
    return counted.withColumn("place", place).filter("place = 1").select(c.PRODUCT_ID, *_LABELS)


def with_is_merchandise(products: DataFrame, clean: CleanSettings) -> DataFrame:
    """Whether a product is one, by department, category, code and name: fuel, coupons, postage and the like are none."""

    def listed(name: str, values: list[str]) -> Column:
        wanted = [value.strip().lower() for value in values]
        return F.coalesce(F.lower(F.col(name)).isin(wanted), F.lit(False)) if wanted else F.lit(False)

    rules = [
        listed(c.DEPARTMENT, clean.non_merchandise_departments),
        listed(c.CATEGORY, clean.non_merchandise_categories),
        listed(c.PRODUCT_ID, clean.non_merchandise_codes),
        *(F.coalesce(F.col(c.PRODUCT_NAME).rlike(p), F.lit(False)) for p in clean.non_merchandise_names),
    ]
    return products.withColumn(c.IS_MERCHANDISE, ~reduce(or_, rules))
