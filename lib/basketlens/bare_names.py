"""Product names without the labels that are in them: what a product is, and its size."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c


def with_bare_name(products: DataFrame) -> DataFrame:
    """Products whose name is its first part and what starts with a digit.

    A name made by `clean.name_template` states category and department, abbreviations written out, so that a classifier
    would copy what it is to predict.  The bare names need vectors of their own.
    """
    parts = F.split(c.PRODUCT_NAME, r"\s*,\s*")
    bare = F.array_join(F.filter(parts, lambda part, i: (i == 0) | part.rlike("^[0-9.]")), ", ")
    return products.withColumn(c.PRODUCT_NAME, bare).withColumn(
        c.NAME_HASH, F.substring(F.sha2(bare, 256), 1, 20)
    )


def with_bare_names_too(products: DataFrame) -> DataFrame:
    """name_hash and product_name of the products, and of their bare names."""
    both = products.select(c.NAME_HASH, c.PRODUCT_NAME)
    return both.unionByName(with_bare_name(both))
