"""Categories predicted from names: missing ones filled, likely wrong ones listed, and how good that is."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.finetune.label_metrics import label_metrics
from basketlens.finetune.label_models import METHODS, LabelOptions, fit, predicted
from basketlens.finetune.label_names import TYPE, draw

TASKS = {"category_80_20": c.NAME_HASH, "category_new_types": TYPE}  # task -> what is kept together
_HELD_OUT = 0.2  # of the names, or of the types


def label_evaluation(names: DataFrame, classes: Sequence[str], options: LabelOptions) -> DataFrame:
    """Rows of `evaluation`: both models on names, and on types, that they have not seen.

    Labels outside `classes` are left out of both sides.  `label_in_name` says for how large a share of the names the
    label is a part of the text: near 0, or the other figures mean nothing.
    """
    known = names.filter(F.col(c.GIVEN).isin(*classes))
    parts = []
    for task, group in TASKS.items():
        is_test = draw(group, options.seed) < _HELD_OUT
        for method in METHODS:
            model = fit(method, known.filter(~is_test), classes, options)
            figures = label_metrics(predicted(model, known.filter(is_test), classes))
            parts.append(_evaluation(figures, method, task, options))
    is_told = F.array_contains(F.split(F.lower(c.PRODUCT_NAME), r"\s*,\s*"), F.lower(c.GIVEN))
    told = known.agg(F.avg(is_told.cast("double")).alias(c.VALUE)).withColumn(
        c.METRIC, F.lit("label_in_name")
    )
    parts.append(_evaluation(told, "none", "category", options))
    return reduce(DataFrame.unionByName, parts)


def _evaluation(figures: DataFrame, method: str, task: str, options: LabelOptions) -> DataFrame:
    return figures.select(
        F.lit(method).alias(c.METHOD),
        F.lit(task).alias(c.TASK),
        c.METRIC,
        F.lit("all").alias(c.CLASS),
        F.lit(options.seed).alias(c.SEED),
        c.VALUE,
        F.lit(None).cast("double").alias(c.LOW),
        F.lit(None).cast("double").alias(c.HIGH),
    )


def best_methods(evaluation: DataFrame) -> DataFrame:
    """method: best first by macro F1 on unseen names; ties by name."""
    figures = evaluation.filter((F.col(c.METRIC) == "macro_f1") & (F.col(c.TASK) == next(iter(TASKS))))
    return figures.filter(F.col(c.VALUE).isNotNull()).orderBy(F.desc(c.VALUE), c.METHOD).select(c.METHOD)


def labels(
    products: DataFrame, names: DataFrame, classes: Sequence[str], options: LabelOptions, *, method: str
) -> DataFrame:
    """(product_id, given, predicted, probability, is_suspect, label_source).

    Names with a label are predicted by models of the other folds, which did not see them; the others by a model of all.

    Args:
        products: with bare names.
        names: of `names_with_label`.
        classes: of `frequent_classes`.
        options: how.
        method: of `best_methods`.
    """
    is_known = F.coalesce(F.col(c.GIVEN).isin(*classes), F.lit(False))
    fold = F.floor(draw(c.NAME_HASH, options.seed + 2) * options.folds)
    everything = fit(method, names, classes, options)
    parts = [predicted(everything, names.filter(~is_known), classes)]
    for k in range(options.folds):
        others = fit(method, names.filter(is_known & (fold != k)), classes, options)
        parts.append(predicted(others, names.filter(is_known & (fold == k)), classes))
    guesses = reduce(DataFrame.unionByName, parts).select(c.NAME_HASH, c.PREDICTED, c.PROBABILITY)
    given = products.select(c.PRODUCT_ID, c.NAME_HASH, F.col(c.CATEGORY).alias(c.GIVEN))
    return given.join(guesses, c.NAME_HASH, "left").select(
        c.PRODUCT_ID,
        c.GIVEN,
        c.PREDICTED,
        c.PROBABILITY,
        _is_suspect(classes, options).alias(c.IS_SUSPECT),
        _source(options).alias(c.LABEL_SOURCE),
    )


def _is_suspect(classes: Sequence[str], options: LabelOptions) -> Column:
    """Not for a label that no model can predict: it would always be doubted."""
    is_other = F.col(c.GIVEN).isin(*classes) & (F.col(c.GIVEN) != F.col(c.PREDICTED))
    return F.coalesce(is_other & (F.col(c.PROBABILITY) >= options.suspect_probability), F.lit(False))


def _source(options: LabelOptions) -> Column:
    is_filled = F.col(c.PROBABILITY) >= options.fill_probability
    return F.when(F.col(c.GIVEN).isNotNull(), "given").when(is_filled, "predicted").otherwise("none")
