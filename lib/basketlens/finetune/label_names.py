"""What the classifier of labels learns from: one row for each distinct name, without the labels that are in it."""

from pyspark.ml.functions import array_to_vector
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c

FEATURES = "features"  # vector
TYPE = "type"  # string, first part of the name


def names_with_label(products: DataFrame, embeddings: DataFrame) -> DataFrame:
    """(name_hash, product_name, type, features, given): the label most of a name's products have, ties by label.

    Args:
        products: with bare names.
        embeddings: of those names; names without a vector are left out.
    """
    votes = products.groupBy(c.NAME_HASH, F.col(c.CATEGORY).alias(c.GIVEN)).count()
    best = Window.partitionBy(c.NAME_HASH).orderBy(F.col(c.GIVEN).isNull(), F.desc("count"), c.GIVEN)
    labels = (
        votes.withColumn("place", F.row_number().over(best)).filter("place = 1").select(c.NAME_HASH, c.GIVEN)
    )
    vectors = embeddings.filter(F.col(c.EMBEDDING).isNotNull()).dropDuplicates([c.NAME_HASH])
    return vectors.join(labels, c.NAME_HASH).select(
        c.NAME_HASH,
        c.PRODUCT_NAME,
        F.split_part(c.PRODUCT_NAME, F.lit(","), F.lit(1)).alias(TYPE),
        array_to_vector(F.col(c.EMBEDDING)).alias(FEATURES),
        c.GIVEN,
    )


def draw(column: str, seed: int) -> Column:
    """0..1, from the value and the seed alone: whatever partition a row is in."""
    return F.pmod(F.xxhash64(F.lit(seed), F.col(column)), F.lit(1_000_003)) / 1_000_003
