"""What a pair is worth: strength, kind and the order of an item's neighbours, as column expressions."""

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from basketlens import columns as c

COMPLEMENT: Final = "complement"
SUBSTITUTE: Final = "substitute"
BASKET_ONLY: Final = "basket_only"
TEXT_ONLY: Final = "text_only"


def strength(prior: float) -> Column:
    """P(neighbour | item), 0..1: the baskets' share shrunk toward the names' attention.

    (n_ab + prior * attention) / (n_a + prior).  What is not known counts as nothing seen: no n_ab (the pair is
    below the mining threshold) as 0 baskets, a lower bound; no n_a (the item itself is below it) as 0 of 0
    baskets, which leaves the attention alone; no attention as 0.  With prior = 0 and no baskets the value is the
    limit for a vanishing prior, the attention.  For a given n_a it never falls when n_ab or the attention grows.

    Args:
        prior: baskets that the attention counts for, >= 0.

    Source: the posterior mean of a binomial share under a beta prior with mean `attention` and weight `prior`
    (Gelman et al. 2013, "Bayesian Data Analysis", section 2.4).
    """
    n_ab = F.coalesce(F.col(c.N_AB), F.lit(0)).cast("double")
    n_a = F.coalesce(F.col(c.N_A), F.lit(0)).cast("double")
    attention = F.coalesce(F.col(c.ATTENTION), F.lit(0.0))
    weight = n_a + F.lit(prior)
    return F.when(weight > 0, (n_ab + F.lit(prior) * attention) / weight).otherwise(attention)


def kind(is_linked: Column) -> Column:
    """Which evidence there is, and whether counts and names agree.

    Args:
        is_linked: boolean, the neighbour is among the item's strongest by attention.

    Returns:
        `complement` (counted, linked, lift >= 1), `substitute` (counted, linked, lift < 1: similar names, bought
        together less than chance), `basket_only` (counted, not linked) or `text_only` (linked, not counted).
    """
    is_counted = F.col(c.N_AB).isNotNull()
    return (
        F.when(~is_counted, TEXT_ONLY)
        .when(~is_linked, BASKET_ONLY)
        .when(F.col(c.LIFT) >= 1, COMPLEMENT)
        .otherwise(SUBSTITUTE)
    )


def placement(discount: float) -> list[Column]:
    """The order of associations, best first; total once the ids are added as last tie-breakers.

    1. Counted pairs come before pairs known by name alone: baskets are harder evidence than names.
    2. Counted pairs by strength / (n_b / n)^discount.  Strength alone puts what everybody buys beside everything;
       lift alone (discount 1, no prior) puts flukes of rare items first.
    3. Pairs known by name alone by attention: how popular the neighbour is may not be known there.
    4. Ties by strength.
    """
    popularity = F.pow(F.col(c.N_B) / F.col(c.N), F.lit(discount))
    is_uncounted = F.col(c.N_AB).isNull()
    worth = F.when(is_uncounted, F.col(c.ATTENTION)).otherwise(F.col(c.STRENGTH) / popularity)
    return [is_uncounted.asc(), worth.desc_nulls_last(), F.col(c.STRENGTH).desc()]
