"""Counts and attention side by side, one row per item and neighbour."""

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c
from basketlens import schemas
from basketlens.masks import MASKS, Mask
from basketlens.report import strength

_IS_LINKED = "is_linked"  # boolean, the neighbour is among the item's strongest by attention
_SCORE_BACK = "score_back"  # double, the score of item_id as the neighbour of neighbor_id
_BASKETS = "baskets"  # long, baskets that hold the item


def associate(
    itemsets: DataFrame,
    links: DataFrame,
    link_stats: DataFrame,
    items: DataFrame,
    vectors: DataFrame,
    *,
    level: str,
    scale: float,
    mask: Mask = MASKS["all"],
    prior: float,
    discount: float,
) -> DataFrame:
    """Every ordered pair that is frequent or linked, with both kinds of evidence.

    Counts are exact or null.  `n_ab` is null when the pair lies below the mining threshold, so is `n_a` (`n_b`)
    when the single item does, and `n` when the level was not mined.  No pair is dropped for its confidence.
    Score and attention are there for every pair; null only where an embedding or the item's `link_stats` is missing.
    `rank` follows `strength.placement`, then the neighbour's id.

    Args:
        itemsets: of any levels; those of `level` are used.
        links: the strongest neighbours of each item, at `level`.
        link_stats: the softmax denominators of the same items.
        items: of any levels; names of those of `level` are used.
        vectors: item_id, embedding: see `vectors_of`; or the rows of `projections`, when the links were made by these.
        level: `name` or `product`.
        scale: factor of the dot product before the softmax, the one that `links` was made with.
        mask: the one that `links` was made with.  What it hides has attention 0.
        prior: baskets that the attention counts for.
        discount: 0..1, exponent of the neighbour's popularity in the order.
    """
    mined = itemsets.filter(F.col(c.LEVEL) == level)
    of_level = items.filter(F.col(c.LEVEL) == level)
    score = with_projected_score if c.QUERY in vectors.columns else with_score
    pairs = counted_pairs(mined).transform(score, vectors, scale=scale)
    return (
        meet(pairs, links)
        .transform(with_counts, mined)
        .transform(with_attention, link_stats)
        .transform(with_mask, of_level, mask=mask)
        .transform(with_names, of_level)
        .withColumn(c.STRENGTH, strength.strength(prior))
        .withColumn(c.KIND, strength.kind(F.col(_IS_LINKED)))
        .transform(with_rank, discount=discount)
        .transform(schemas.conform, schemas.ASSOCIATIONS, table="associations")
    )


def vectors_of(products: DataFrame, embeddings: DataFrame, *, level: str) -> DataFrame:
    """item_id and embedding.  At level `name` the item id is the name's hash; a product is read through its name."""
    if level == "name":
        return embeddings.select(F.col(c.NAME_HASH).alias(c.ITEM_ID), c.EMBEDDING)
    named = products.select(F.col(c.PRODUCT_ID).alias(c.ITEM_ID), c.NAME_HASH)
    return named.join(embeddings.select(c.NAME_HASH, c.EMBEDDING), c.NAME_HASH).select(c.ITEM_ID, c.EMBEDDING)


def counted_pairs(mined: DataFrame) -> DataFrame:
    """item_id < neighbor_id, n_ab: the frequent pairs, each once."""
    first, second = F.col(c.ITEMS)[0], F.col(c.ITEMS)[1]
    pairs = mined.filter(F.col(c.SIZE) == 2)  # noqa: PLR2004 - a pair is two items
    return pairs.select(
        first.alias(c.ITEM_ID), second.alias(c.NEIGHBOR_ID), F.col(c.COUNT).alias(c.N_AB), F.col(c.SUPPORT)
    )


def with_score(pairs: DataFrame, vectors: DataFrame, *, scale: float) -> DataFrame:
    """Add the names' score, scale * (e_i . e_j) in double, to pairs; null when an embedding is missing.

    The product is symmetric, so a pair is scored once for both of its directions.
    """
    left, right = "left_vector", "right_vector"
    dot = _dot(left, right)
    are_known = F.col(left).isNotNull() & F.col(right).isNotNull()
    return (
        pairs.join(vectors.select(c.ITEM_ID, F.col(c.EMBEDDING).alias(left)), c.ITEM_ID, "left")
        .join(
            vectors.select(F.col(c.ITEM_ID).alias(c.NEIGHBOR_ID), F.col(c.EMBEDDING).alias(right)),
            c.NEIGHBOR_ID,
            "left",
        )
        .withColumn(c.SCORE, F.when(are_known, F.lit(scale) * dot))
        .withColumn(_SCORE_BACK, F.col(c.SCORE))
        .drop(left, right)
    )


def with_projected_score(pairs: DataFrame, projections: DataFrame, *, scale: float) -> DataFrame:
    """Add the trained scores of both directions in double, q_i . k_j + b_j; null when a projection is missing.

    The scale is in the queries.
    """
    del scale
    names = (c.QUERY, c.KEY, c.BIAS)
    for item, side in ((c.ITEM_ID, "left"), (c.NEIGHBOR_ID, "right")):
        theirs = [F.col(name).alias(f"{side}_{name}") for name in names]
        pairs = pairs.join(projections.select(F.col(c.ITEM_ID).alias(item), *theirs), item, "left")
    there = _dot("left_query", "right_key") + F.col("right_bias")
    back = _dot("right_query", "left_key") + F.col("left_bias")
    are_known = F.col("left_key").isNotNull() & F.col("right_key").isNotNull()
    return (
        pairs.withColumn(c.SCORE, F.when(are_known, there))
        .withColumn(_SCORE_BACK, F.when(are_known, back))
        .drop(*(f"{side}_{name}" for side in ("left", "right") for name in names))
    )


def _dot(left: str, right: str) -> Column:
    return pandas_udf(dot_products, "double")(left, right)  # type: ignore[call-overload, no-any-return]  # needs pd.Series[Any]


def dot_products(left: pd.Series, right: pd.Series) -> pd.Series:
    """Dot products in double of two columns of vectors (n, d); NaN where either vector is missing."""
    found = np.full(len(left), np.nan)
    is_known = (left.notna() & right.notna()).to_numpy()
    if is_known.any():
        x, y = (np.array(side[is_known].tolist(), dtype=np.float64) for side in (left, right))  # (known, d)
        found[is_known] = np.einsum("nd,nd->n", x, y)
    return pd.Series(found)


def meet(pairs: DataFrame, links: DataFrame) -> DataFrame:
    """Ordered pairs that are counted, linked, or both; the link's own score wins over the recomputed one."""
    ends = {"i": (c.ITEM_ID, c.NEIGHBOR_ID), "j": (c.NEIGHBOR_ID, c.ITEM_ID), "dot": (c.SCORE, _SCORE_BACK)}
    here, there = (F.struct(*(F.col(end[at]).alias(name) for name, end in ends.items())) for at in (0, 1))
    directed = pairs.withColumn("ends", F.explode(F.array(here, there))).select(
        F.col("ends.i").alias(c.ITEM_ID),
        F.col("ends.j").alias(c.NEIGHBOR_ID),
        c.N_AB,
        c.SUPPORT,
        F.col("ends.dot").alias("dot"),
    )
    linked = links.select(
        c.ITEM_ID,
        c.NEIGHBOR_ID,
        F.col(c.SCORE).cast("double").alias(c.SCORE),
        c.ATTENTION,
        F.lit(True).alias(_IS_LINKED),
    )
    return directed.join(linked, [c.ITEM_ID, c.NEIGHBOR_ID], "full_outer").select(
        c.ITEM_ID,
        c.NEIGHBOR_ID,
        c.N_AB,
        c.SUPPORT,
        F.coalesce(F.col(c.SCORE), F.col("dot")).alias(c.SCORE),
        c.ATTENTION,
        F.coalesce(F.col(_IS_LINKED), F.lit(False)).alias(_IS_LINKED),
    )


def with_counts(pairs: DataFrame, mined: DataFrame) -> DataFrame:
    """Add n_a, n_b, n, confidence and lift; null where they are not known.

    Lift is (n_ab * n) / (n_a * n_b): equal products give exactly 1, so independence never looks like less.
    """
    singles = mined.filter(F.col(c.SIZE) == 1).select(
        F.col(c.ITEMS)[0].alias(c.ITEM_ID), F.col(c.COUNT).alias(_BASKETS)
    )
    n_ab, n_a, n_b, n = (F.col(name).cast("double") for name in (c.N_AB, c.N_A, c.N_B, c.N))
    return (
        pairs.join(singles.select(c.ITEM_ID, F.col(_BASKETS).alias(c.N_A)), c.ITEM_ID, "left")
        .join(
            singles.select(F.col(c.ITEM_ID).alias(c.NEIGHBOR_ID), F.col(_BASKETS).alias(c.N_B)),
            c.NEIGHBOR_ID,
            "left",
        )
        .crossJoin(F.broadcast(basket_total(mined)))
        .withColumn(c.CONFIDENCE, n_ab / n_a)
        .withColumn(c.LIFT, (n_ab * n) / (n_a * n_b))
    )


def basket_total(itemsets: DataFrame) -> DataFrame:
    """One row, n: all baskets, also those that support no rule; null when nothing was mined.

    `rules.n` would be null whenever no rule is confident enough, so n is count / support of a single item.  Support
    is count / n rounded to the nearest double, an error of at most 2^-53 of n, and rounding undoes it for any
    n < 2^50: every single gives the same n, and `max` only chooses one.
    """
    total = F.round(F.col(c.COUNT) / F.col(c.SUPPORT)).cast("long")
    return itemsets.filter(F.col(c.SIZE) == 1).agg(F.max(total).alias(c.N))


def with_attention(pairs: DataFrame, link_stats: DataFrame) -> DataFrame:
    """Add attention where the link has none: exp(score - log_sum_exp of the item), at most 1."""
    denominators = link_stats.select(c.ITEM_ID, c.LOG_SUM_EXP)
    logarithm = F.col(c.SCORE) - F.col(c.LOG_SUM_EXP)
    # Rounding alone can lift it above 0.  Not F.least, which passes over null.
    computed = F.when(logarithm > 0, 1.0).otherwise(F.exp(logarithm))
    return (
        pairs.join(denominators, c.ITEM_ID, "left")
        .withColumn(c.ATTENTION, F.coalesce(F.col(c.ATTENTION), computed))
        .drop(c.LOG_SUM_EXP)
    )


def with_mask(pairs: DataFrame, items: DataFrame, *, mask: Mask) -> DataFrame:
    """Set attention to 0 where the mask hides the neighbour from the item; null stays null."""
    if mask.column is None:
        return pairs
    mine, theirs = "own_group", "neighbor_group"
    is_same = F.coalesce(F.col(mine) == F.col(theirs), F.lit(False))
    is_hidden = ~is_same if mask.within else is_same
    attention = F.when(is_hidden & F.col(c.ATTENTION).isNotNull(), 0.0).otherwise(F.col(c.ATTENTION))
    return (
        pairs.join(items.select(c.ITEM_ID, F.col(mask.column).alias(mine)), c.ITEM_ID, "left")
        .join(
            items.select(F.col(c.ITEM_ID).alias(c.NEIGHBOR_ID), F.col(mask.column).alias(theirs)),
            c.NEIGHBOR_ID,
            "left",
        )
        .withColumn(c.ATTENTION, attention)
        .drop(mine, theirs)
    )


def with_names(pairs: DataFrame, items: DataFrame) -> DataFrame:
    """Add the names of both items; an item without a name is called by its id."""
    names = items.select(c.ITEM_ID, c.ITEM_NAME)
    neighbors = items.select(F.col(c.ITEM_ID).alias(c.NEIGHBOR_ID), F.col(c.ITEM_NAME).alias(c.NEIGHBOR_NAME))
    return (
        pairs.join(names, c.ITEM_ID, "left")
        .join(neighbors, c.NEIGHBOR_ID, "left")
        .withColumn(c.ITEM_NAME, F.coalesce(c.ITEM_NAME, c.ITEM_ID))
        .withColumn(c.NEIGHBOR_NAME, F.coalesce(c.NEIGHBOR_NAME, c.NEIGHBOR_ID))
    )


def with_rank(pairs: DataFrame, *, discount: float) -> DataFrame:
    """Add the neighbour's place within its item, 1 = best, without ties."""
    order = [*strength.placement(discount), F.col(c.NEIGHBOR_ID).asc()]
    return pairs.withColumn(c.RANK, F.row_number().over(Window.partitionBy(c.ITEM_ID).orderBy(*order)))
