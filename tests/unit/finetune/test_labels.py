import random

import pytest

from basketlens import columns as c
from basketlens import schemas
from basketlens.bare_names import with_bare_name
from basketlens.errors import InputError
from basketlens.finetune.label_metrics import label_metrics
from basketlens.finetune.label_models import LabelOptions, check_classes, frequent_classes
from basketlens.finetune.label_names import draw, names_with_label
from basketlens.finetune.labelling import write_labels
from basketlens.finetune.labels import TASKS, best_methods, label_evaluation, labels
from basketlens.settings_files import load_settings
from tests.builders import table
from tests.unit.folder_io import FolderIO

OPTIONS = LabelOptions(
    seed=3, max_rows=1000, max_classes=10, min_count=5, l2=0.001, iterations=30, trees=3, depth=3, min_leaf=1, folds=2,
    fill_probability=0.8, suspect_probability=0.8,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        pytest.param(
            "potato chips, chips&snacks, nutrition, national brand, 9 oz", "potato chips, 9 oz", id="template"
        ),
        pytest.param("oat milk", "oat milk", id="plain"),
        pytest.param("plush, easter, private brand", "plush", id="no-size"),
    ],
)
def test_bare_names_do_not_hold_their_label(spark, name, bare):
    assert with_bare_name(table(spark, schemas.PRODUCTS, {"product_name": name})).first().product_name == bare


def test_metrics_of_literal_rows(spark):
    rows = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("b", "c"), ("d", "a")]
    found = {
        r.metric: r.value
        for r in label_metrics(spark.createDataFrame(rows, [c.GIVEN, c.PREDICTED])).collect()
    }
    recalls, f1 = [2 / 3, 1 / 2, 0], [2 / 3, 2 / 4, 0]
    assert found == pytest.approx(
        {"accuracy": 3 / 6, "macro_recall": sum(recalls) / 3, "macro_f1": sum(f1) / 3}
    )


def rows_of(seed=0):
    """Two groups of names that lie apart, one name with the other's label, one without any, one of a rare label."""
    noise = random.Random(seed)
    products, vectors = [], []
    for i in range(80):
        side = i % 2
        label = {0: "TEA", 1: "HAM"}[side]
        label = {10: "HAM", 12: None, 14: "RARE"}.get(i, label)
        products.append(
            {"product_id": f"p{i:02}", "product_name": f"type{i % 20}, {i} oz", "category": label}
        )
        vectors.append([(-1.0) ** side + noise.gauss(0, 0.1), noise.gauss(0, 0.1)])
    return products, vectors


@pytest.fixture(scope="module")
def world(spark):
    products, vectors = rows_of()
    bare = with_bare_name(table(spark, schemas.PRODUCTS, *products)).cache()
    hashes = {row.product_id: row.name_hash for row in bare.collect()}
    made = [
        {"name_hash": hashes[p["product_id"]], "product_name": p["product_name"], "embedding": v}
        for p, v in zip(products, vectors, strict=True)
    ]
    return bare, names_with_label(bare, table(spark, schemas.EMBEDDINGS, *made)).cache()


def test_a_label_of_few_names_is_left_out(world):
    def classes(options):
        return [row.given for row in frequent_classes(world[1], options).collect()]

    assert classes(OPTIONS) == ["HAM", "TEA"]
    few = OPTIONS._replace(min_count=41)
    with pytest.raises(InputError, match=r"1 categories have 41 distinct names(?s:.*)Found:  HAM"):
        check_classes(classes(few), few)


def test_missing_labels_are_filled_and_wrong_ones_listed(world):
    found = {
        r.product_id: r
        for r in labels(*world, ["HAM", "TEA"], OPTIONS, method="logistic_regression").collect()
    }
    assert len(found) == 80
    assert [i for i, row in found.items() if row.is_suspect] == ["p10"]
    assert (found["p12"].given, found["p12"].predicted, found["p12"].label_source) == (
        None,
        "TEA",
        "predicted",
    )
    assert (found["p14"].given, found["p14"].predicted, found["p14"].label_source) == ("RARE", "TEA", "given")
    assert all(0.5 <= row.probability <= 1 for row in found.values())


def test_both_models_are_measured_on_names_and_types_they_have_not_seen(world):
    rows = label_evaluation(world[1], ["HAM", "TEA"], OPTIONS)
    found = {(r.method, r.task, r.metric): r.value for r in rows.collect()}
    assert len(found) == 13
    assert found["none", "category", "label_in_name"] == 0
    assert all(value >= 0.8 for key, value in found.items() if key[2] == "accuracy")
    assert {r.method for r in best_methods(rows).collect()} == {"logistic_regression", "random_forest"}


def test_no_type_is_on_both_sides_and_partitions_do_not_matter(world):
    sides = world[1].withColumn("is_test", draw(TASKS["category_new_types"], 3) < 0.2)
    per_type = sides.groupBy("type").agg({"is_test": "max"}).collect()
    again = sides.repartition(7).groupBy("type", "is_test").count().collect()
    assert len(again) == len(per_type) == 20
    assert 0 < sum(row["max(is_test)"] for row in per_type) < 20


def test_the_step_writes_labels_and_says_how_good_they_are(spark, tmp_path):
    products, vectors = rows_of()
    io = FolderIO(spark, tmp_path)
    io.given("products", table(spark, schemas.PRODUCTS, *products))
    hashes = {r.product_id: r.name_hash for r in with_bare_name(io.read("products")).collect()}
    io.given(
        "embeddings",
        table(
            spark, schemas.EMBEDDINGS, *({"name_hash": hashes[p["product_id"]], "product_name": p["product_name"], "embedding": v}
            for p, v in zip(products, vectors, strict=True)),
        ),
    )  # fmt: skip
    changed = [
        "max_rows=1000",
        "l2=0.001",
        "iterations=30",
        "trees=3",
        "depth=3",
        "folds=2",
        "suspect_probability=0.8",
    ]
    settings = load_settings("base", [f"finetune.labels.{each}" for each in changed], {})
    figures = write_labels(io, settings.finetune.labels, seed=3)
    assert {r.task for r in figures.collect()} == {"category", "category_80_20", "category_new_types"}
    written = {r.product_id: r for r in io.read("labels").collect()}
    assert len(written) == 80
    assert [i for i, row in written.items() if row.is_suspect] == ["p10"]
    assert written["p12"].label_source == "predicted"
    assert io.figures["label_classes"] == 2
