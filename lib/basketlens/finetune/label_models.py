"""The two classifiers of labels, with the memory that they may take."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pyspark.ml.classification import LogisticRegression, RandomForestClassifier
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import InputError
from basketlens.finetune.label_names import FEATURES, draw

METHODS = ("logistic_regression", "random_forest")
_INDEX, _PARTITIONS = "label_index", 4  # few: a fit is many short passes over little data


class LabelOptions(NamedTuple):
    """How labels are learned.

    With k classes and vectors of width d, logistic regression holds k (d + 1) doubles, about 25 times over while it is
    fitted (L-BFGS remembers ten steps): 1,000 x 385 is 77 MB.  A forest holds k doubles at every node, of which there
    are at most 2 x min(rows / min_leaf, 2^depth) in a tree: 229 classes, depth 12 and 100 trees are 1.5 GB at the most.
    """

    seed: int
    max_rows: int  # names that a model is fitted on; a seeded sample of more
    max_classes: int  # the most frequent labels; others are never predicted
    min_count: int  # names that a label must have to be learned
    l2: float  # logistic regression's penalty, 0 or more
    iterations: int  # of logistic regression
    trees: int
    depth: int  # of a tree
    min_leaf: int  # names at a leaf
    folds: int  # of the cross-fit that finds suspects, 2..5
    fill_probability: float  # 0..1, from which a missing label is filled
    suspect_probability: float  # 0..1, from which another label than the given one makes a suspect


def frequent_classes(names: DataFrame, options: LabelOptions) -> DataFrame:
    """given: the labels that can be learned, most frequent first, at most `max_classes`."""
    counts = names.filter(F.col(c.GIVEN).isNotNull()).groupBy(c.GIVEN).count()
    enough = counts.filter(F.col("count") >= options.min_count)
    return enough.orderBy(F.desc("count"), c.GIVEN).limit(options.max_classes).select(c.GIVEN)


def check_classes(found: Sequence[str], options: LabelOptions) -> None:
    """Raise when there are fewer than two.

    Raises:
        InputError: there is nothing to tell apart.
    """
    if len(found) < 2:  # noqa: PLR2004 - with one class there is nothing to tell apart
        raise InputError(
            f"Labels cannot be learned: {len(found)} categories have {options.min_count} distinct names or more.\n"
            f"  Wanted: 2 at least\n  Found:  {', '.join(found) or 'none'}\n"
            "  Next: map the category in clean.product_columns, or switch the labels off"
        )


def fit(method: str, names: DataFrame, classes: Sequence[str], options: LabelOptions) -> Any:
    """A fitted model.  Rows are spread by name, so that the order of the input does not matter.

    Args:
        method: one of `METHODS`.
        names: of `names_with_label`; those whose label is no class are left out.
        classes: of `frequent_classes`.
        options: how.
    """
    index = F.create_map(*(F.lit(part) for i, label in enumerate(classes) for part in (label, float(i))))
    rows = names.filter(F.col(c.GIVEN).isin(*classes)).withColumn(_INDEX, index[F.col(c.GIVEN)])
    chosen = rows.orderBy(draw(c.NAME_HASH, options.seed + 1), c.NAME_HASH).limit(options.max_rows)
    placed = chosen.repartition(_PARTITIONS, c.NAME_HASH).sortWithinPartitions(c.NAME_HASH)
    kind: Any
    if method == "logistic_regression":
        kind = LogisticRegression(maxIter=options.iterations, regParam=options.l2, family="multinomial")
    else:
        kind = RandomForestClassifier(
            numTrees=options.trees,
            maxDepth=options.depth,
            minInstancesPerNode=options.min_leaf,
            seed=options.seed,
        )
    return kind.setFeaturesCol(FEATURES).setLabelCol(_INDEX).fit(placed.select(FEATURES, _INDEX))


def predicted(model: Any, names: DataFrame, classes: Sequence[str]) -> DataFrame:
    """`names` with predicted and probability."""
    made: DataFrame = model.setProbabilityCol("all_probabilities").setPredictionCol("class").transform(names)
    label = F.element_at(F.array(*map(F.lit, classes)), F.col("class").cast("int") + 1)
    return (
        made.withColumn(c.PREDICTED, label)
        .withColumn(c.PROBABILITY, F.array_max(vector_to_array(F.col("all_probabilities"))))
        .select(*names.columns, c.PREDICTED, c.PROBABILITY)
    )
