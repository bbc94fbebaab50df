"""The part of `finetune` that predicts labels: `products`, `embeddings` -> `labels` and rows of `evaluation`."""

from typing import Final

from pyspark.sql import DataFrame

from basketlens import columns as c
from basketlens import schemas
from basketlens.bare_names import with_bare_name
from basketlens.finetune.label_models import METHODS, LabelOptions, check_classes, frequent_classes
from basketlens.finetune.label_names import names_with_label
from basketlens.finetune.labels import best_methods, label_evaluation, labels
from basketlens.settings_finetune import LabelSettings
from basketlens.stage_io import StageIO

EVALUATION: Final = "label_evaluation"  # scratch, as `evaluation`


def write_labels(io: StageIO, settings: LabelSettings, *, seed: int) -> DataFrame:
    """Write `labels`; returns how good both models are on names that they have not seen.

    Raises:
        InputError: fewer than two categories have names enough.
    """
    options = LabelOptions(seed=seed, **settings.model_dump(exclude={"enabled"}))
    products = with_bare_name(io.read("products"))
    names = names_with_label(products, io.read("embeddings"))
    io.write("label_names", names, doing="joining bare names and labels")
    names = io.read("label_names")
    found = io.to_driver(
        frequent_classes(names, options),
        limit=options.max_classes,
        what="categories",
        doing="listing categories",
    )
    classes = found[c.GIVEN].tolist()
    check_classes(classes, options)
    io.write(EVALUATION, label_evaluation(names, classes, options), doing="learning labels by two models")
    evaluation = io.read(EVALUATION)
    ranked = io.to_driver(
        best_methods(evaluation), limit=len(METHODS), what="models", doing="comparing models"
    )
    method = str(next(iter(ranked[c.METHOD]), METHODS[0]))
    io.write(
        "labels",
        labels(products, names, classes, options, method=method),
        doing=f"predicting labels by {method}",
    )
    io.note(label_classes=len(classes), label_method=method)
    return evaluation.select(*schemas.EVALUATION.names)
