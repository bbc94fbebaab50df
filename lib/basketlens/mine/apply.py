"""Rules applied to baskets: what each basket is likely to lack, at any number of rules.

    from basketlens.mine.apply import apply_rules

    offers = apply_rules(baskets, rules.filter("level = 'name' and not is_redundant"), k=10, by="lift")

`FPGrowthModel.transform` of Spark's MLlib collects all rules to the driver and compares each with each basket.
Here both sides meet by key.
"""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.mine.containment import INDEX, PART, with_held_sets
from basketlens.mine.frequent import CODE
from basketlens.mine.ranking import badness, measures_in

_WANTED: Final = "wanted"  # array<int>, codes of a consequent
_FIRST: Final = "first_offers"  # array of the consequents of one antecedent, the best first
_OTHERS: Final = "other_offers"  # array, those after the first
_SPARE: Final = (
    50  # offers looked at beside the wanted k before all others are: those that a basket holds already
)
_BADNESS: Final = ("badness_1", "badness_2", "badness_3")  # double: measure, confidence, n_ab; less is better


def apply_rules(baskets: DataFrame, rules: DataFrame, *, k: int, by: str = c.CONFIDENCE) -> DataFrame:
    """The best `k` consequents for each basket among the rules whose antecedent it holds.

    A consequent that shares an item with the basket is no offer.  Nothing is lost by leaving it out whole when only
    a part is held: from {bread} to {butter, jam}, in a basket with bread and jam, there is the rule from
    {bread, jam} to {butter}, which is at least as sure.

    Each consequent appears once, with its best rule.  The order is total, so the result depends neither on
    partitions nor on the order of rows: by the measure (the largest first; of p and q values the smallest;
    null last, but first for conviction, where it means infinite), then confidence, n_ab, and ids of consequent
    and antecedent.

    Nothing is collected or broadcast, so the driver's memory does not grow with rules or baskets.  The work is the
    number of pairs of a basket and an antecedent that meet by the antecedent's rarest item; rules that can be
    dropped beforehand (`is_redundant`) are the cheapest way to less of it.  A basket of m items costs m x m x 4
    bytes in the shuffle: cut orders of tens of thousands of items beforehand.

    Args:
        baskets: basket_id, items array<string> (repeats and items that no rule knows do no harm).
        rules: antecedent, consequent (array<string>, distinct items, each pair of sides once), confidence, n_ab and the
            measure: one level of the table `rules`, with the ids that `baskets` has.
        k: offers per basket, 1 or more.
        by: a numeric column of `rules`.

    Returns:
        basket_id, rank int (1..k), antecedent, consequent, confidence, n_ab and the measure.  Baskets that no
        rule has an offer for have no rows.

    Raises:
        ValueError: `k` is below 1, or `by` is no numeric column of `rules`.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}.")
    if by not in (known := measures_in(rules.schema)):
        raise ValueError(
            f"by must be a numeric column of the rules, got '{by}'.\n  There are: {', '.join(known)}"
        )
    held = baskets.select(c.BASKET_ID, F.explode(F.array_distinct(c.ITEMS)).alias(c.ITEM_ID))
    items = coded_items(rules, held)
    coded = coded_rules(rules, items, by=by)
    best = best_offers(coded_baskets(held, items), offers_per_antecedent(coded, k=k), k=k)
    sides = coded.select(PART, _WANTED, *_kept(by))
    return best.join(sides.hint("merge"), [PART, _WANTED]).select(c.BASKET_ID, c.RANK, *_kept(by))


def coded_items(rules: DataFrame, held: DataFrame) -> DataFrame:
    """Items of the rules with their code and the baskets that hold them.

    Codes ascend with the id, so that codes compare as ids do.  Only the catalogue passes through the single
    partition that numbers it.

    Args:
        rules: antecedent, consequent.
        held: basket_id, item_id, each pair once.

    Returns:
        item_id, code int, count long (0 = no basket holds it).
    """
    sides = rules.select(F.explode(F.concat(c.ANTECEDENT, c.CONSEQUENT)).alias(c.ITEM_ID)).distinct()
    counts = held.groupBy(c.ITEM_ID).agg(F.count("*").alias(c.COUNT))
    counted = sides.join(counts.hint("merge"), c.ITEM_ID, "left").fillna(0, c.COUNT)
    ordered = counted.repartition(1).sortWithinPartitions(c.ITEM_ID)
    return ordered.withColumn(CODE, F.monotonically_increasing_id().cast("int"))


def coded_baskets(held: DataFrame, items: DataFrame) -> DataFrame:
    """basket_id and items array<int>, those that some rule knows."""
    coded = held.join(items.select(c.ITEM_ID, CODE).hint("merge"), c.ITEM_ID)
    return coded.groupBy(c.BASKET_ID).agg(F.collect_list(CODE).alias(c.ITEMS))


def coded_rules(rules: DataFrame, items: DataFrame, *, by: str) -> DataFrame:
    """Rules with both sides also as ascending codes, and the antecedent's rarest item (ties: the lower id).

    Returns:
        the columns `_kept`, badness_1..3, part and wanted array<int>, index int.
    """
    ranks = [badness(measure).alias(name) for name, measure in zip(_BADNESS, _order(by), strict=True)]
    known = rules.select(*_kept(by), *ranks)
    is_left = "is_left"
    left, right = (
        known.select("*", F.lit(side == c.ANTECEDENT).alias(is_left), F.explode(side).alias(c.ITEM_ID))
        for side in (c.ANTECEDENT, c.CONSEQUENT)
    )
    coded = left.unionByName(right).join(items.hint("merge"), c.ITEM_ID)
    on_left = F.col(is_left)
    return coded.groupBy(*_kept(by), *_BADNESS).agg(
        F.sort_array(F.collect_list(F.when(on_left, F.col(CODE)))).alias(PART),
        F.sort_array(F.collect_list(F.when(~on_left, F.col(CODE)))).alias(_WANTED),
        F.min(F.when(on_left, F.struct(c.COUNT, CODE)))[CODE].alias(INDEX),
    )


def offers_per_antecedent(coded: DataFrame, *, k: int) -> DataFrame:
    """index, part, and in two arrays its offers (badness_1..3, wanted), the best first.

    A common item alone has offers by the ten thousand, of which a basket hardly ever needs more than the first.
    """
    offers = F.sort_array(F.collect_list(F.struct(*_BADNESS, _WANTED)))
    every = coded.groupBy(INDEX, PART).agg(offers.alias("offers"))
    first = k + _SPARE
    n_others = F.greatest(F.size("offers") - first, F.lit(0))
    others = F.slice("offers", first + 1, n_others)
    return every.select(INDEX, PART, F.slice("offers", 1, first).alias(_FIRST), others.alias(_OTHERS))


def best_offers(baskets: DataFrame, offers: DataFrame, *, k: int) -> DataFrame:
    """basket_id, part, wanted, rank: the best rule of each consequent, then the best `k` consequents.

    An antecedent offers a basket at most `k` consequents, so it is cut to these before anything is shuffled.
    """
    matched = with_held_sets(baskets, offers).withColumn("new", _new_ones(_FIRST))
    is_enough = (F.size("new") >= k) | (F.size(_OTHERS) == 0)
    new = F.when(is_enough, F.col("new")).otherwise(F.concat("new", _new_ones(_OTHERS)))
    per_basket = (
        matched.select(c.BASKET_ID, PART, F.explode(F.slice(new, 1, k)).alias("offer"))
        .select(c.BASKET_ID, PART, "offer.*")
        .repartition(c.BASKET_ID)  # serves both windows
    )
    of_consequent = Window.partitionBy(c.BASKET_ID, _WANTED).orderBy(*_BADNESS, PART)
    of_basket = Window.partitionBy(c.BASKET_ID).orderBy(*_BADNESS, _WANTED, PART)
    best_rules = per_basket.withColumn(c.RANK, F.row_number().over(of_consequent)).filter(F.col(c.RANK) == 1)
    ranked = best_rules.withColumn(c.RANK, F.row_number().over(of_basket)).filter(F.col(c.RANK) <= k)
    return ranked.select(c.BASKET_ID, PART, _WANTED, c.RANK)


def _new_ones(offers: str) -> Column:
    """Offers none of whose items the basket holds."""
    return F.filter(offers, lambda offer: ~F.arrays_overlap(offer[_WANTED], F.col(c.ITEMS)))


def _order(by: str) -> tuple[str, str, str]:
    return by, c.CONFIDENCE, c.N_AB


def _kept(by: str) -> list[str]:
    return list(dict.fromkeys((c.ANTECEDENT, c.CONSEQUENT, c.CONFIDENCE, c.N_AB, by)))
