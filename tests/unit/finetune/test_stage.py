"""`finetune` through Spark on a small shop, and what the stages after it make of its tables."""

import datetime as dt
import json
import math

import numpy as np
import pytest

from basketlens import schemas
from basketlens.errors import InputError
from basketlens.finetune import stage
from basketlens.finetune.model_folder import load_trained
from basketlens.link import stage as link
from basketlens.settings_files import load_settings
from tests.builders import table
from tests.unit.finetune.shop import shop
from tests.unit.folder_io import FolderIO

NEW = 47  # an item that nobody has bought
SETTINGS = [
    "finetune.enabled=true", "finetune.heads.width=8", "finetune.heads.bias_width=4", "finetune.heads.frequent_keys=20",
    "finetune.pairs.steps=120", "finetune.pairs.rows=16", "finetune.baskets.steps=20", "finetune.baskets.rows=16",
    "finetune.evaluate.seeds=[3]", "finetune.evaluate.resamples=100", "finetune.evaluate.validation=0.2",
    "finetune.evaluate.test=0.2", "finetune.evaluate.new_items=0.1", "ease.max_items=40",
    "finetune.export.enabled=false", "mine.max_basket_items=20", "link.top_k=5",
]  # fmt: skip


def given(spark, root, *, partitions=1, baskets=600, customers=True):
    """The tables of the stages before, as a shop of 48 items sold for 100 days leaves them."""
    io = FolderIO(spark, root)
    small = shop(baskets, never=(NEW,))
    ids = [f"i{i:02d}" for i in range(len(small.vectors))]
    start = dt.datetime(2025, 1, 1, 12)
    lines = [
        {
            "basket_id": f"b{b:04d}", "product_id": ids[i], "customer_key": f"c{b % 20}" if customers else None,
            "sold_at": start + dt.timedelta(days=b * 100 // baskets),
        }
        for b in range(baskets)
        for i in small.baskets.held[[b]].indices
    ]  # fmt: skip
    io.given("lines", table(spark, schemas.LINES, *lines).repartition(partitions))
    io.given("products", table(spark, schemas.PRODUCTS, *({"product_id": i, "name_hash": i} for i in ids)))
    sold = small.purchases
    items = [
        {"item_id": i, "level": "name", "item_name": f"name {i}", "lines": int(n)}
        for i, n in zip(ids, sold, strict=True)
    ]
    io.given("items", table(spark, schemas.ITEMS, *items).repartition(partitions))
    vectors = [
        {"name_hash": i, "product_name": i, "embedding": v.tolist(), "model_digest": "d"}
        for i, v in zip(ids, small.vectors, strict=True)
    ]
    io.given("embeddings", table(spark, schemas.EMBEDDINGS, *vectors).repartition(partitions))
    return io


def finetune(io, *changed):
    settings = load_settings("base", [*SETTINGS, *changed], {})
    stage.run(io, settings)
    return settings


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    io = given(spark, tmp_path_factory.mktemp("trained"))
    finetune(io)
    return io


def rows_of(io, name):
    return sorted(map(tuple, io.read(name).collect()), key=repr)


def test_tables_do_not_depend_on_how_the_input_is_cut(spark, trained, tmp_path):
    other = given(spark, tmp_path, partitions=5)
    finetune(other)
    for name in ("projections", "basket_projections", "evaluation"):
        assert rows_of(other, name) == rows_of(trained, name)
    assert len(rows_of(trained, "projections")) == 48
    assert other.figures["further_names"] == other.figures["synthetic_baskets"] == 0  # nothing was asked for


def test_attention_of_baskets_is_kept_where_it_is_measured(trained):
    of_pairs, of_baskets = (
        trained.read(name).orderBy("item_id").collect() for name in ("projections", "basket_projections")
    )
    assert [r.item_id for r in of_baskets] == [r.item_id for r in of_pairs]
    assert all(len(r.query) == len(r.key) == 8 for r in of_baskets)
    assert of_baskets != of_pairs


def test_link_computes_the_attention_that_was_trained(trained):
    trained.publish()
    settings = load_settings("base", SETTINGS, {})
    trained.cores = 2
    link.run(trained, settings)
    of = {r.item_id: r for r in trained.read("projections").collect()}
    links = {}
    for r in trained.read("links").collect():
        links.setdefault(r.item_id, {})[r.neighbor_id] = r
    sold = sorted(set(of) - {f"i{NEW}"})
    for item, row in of.items():
        keys = [k for k in sold if k != item]
        scores = np.array([np.dot(np.float64(row.query), np.float64(of[k].key)) + of[k].bias for k in keys])
        p = np.exp(scores - scores.max())
        p /= p.sum()
        best = np.argsort(-scores)[:5]
        assert set(links[item]) == {keys[i] for i in best}
        for i in best:
            assert links[item][keys[i]].attention == pytest.approx(p[i], rel=1e-5)


def test_a_new_product_has_neighbours_of_its_kind_and_is_nobody_s(trained):
    links = trained.read("links").collect()
    of_new = {r.neighbor_id for r in links if r.item_id == f"i{NEW}"}
    assert len(of_new & {f"i{i}" for i in range(40, 47)}) >= 4  # the five strongest; its kind is 40 to 47
    assert not [r for r in links if r.neighbor_id == f"i{NEW}"]


def test_the_evaluation_names_every_method_and_task(trained):
    rows = trained.read("evaluation").collect()
    assert {r.task.split(".")[0] for r in rows} == {"baskets", "pairs", "calibration"}
    methods = {r.method for r in rows}
    assert {"popularity", "confidence", "counts + attention", "ease", "ease + attention + history"} <= methods
    assert all(math.isfinite(r.value) or r.value == math.inf for r in rows)  # a prior may be endless
    assert {r.seed for r in rows} == {3}


def test_it_does_nothing_unless_it_is_enabled(spark, tmp_path):
    io = FolderIO(spark, tmp_path)  # without any table
    finetune(io, "finetune.enabled=false")
    assert io.written == []


def test_baskets_are_drawn_by_their_ids(spark, tmp_path):
    io = given(spark, tmp_path, baskets=1500)
    finetune(io, "finetune.max_baskets=1000", "finetune.evaluate.enabled=false")
    assert io.figures["baskets_found"] == 1500
    assert 900 < io.figures["baskets"] < 1100
    assert not {"evaluation", "basket_projections"} & set(io.written)


def test_a_training_goes_on_from_its_checkpoint_and_refuses_another_s(spark, trained, tmp_path):
    io = given(spark, tmp_path / "shop")
    alone = [
        "finetune.evaluate.enabled=false",
        f"finetune.checkpoints={tmp_path / 'states'}",
        "finetune.checkpoint_every=50",
    ]
    finetune(io, *alone)
    [state] = (tmp_path / "states").iterdir()
    assert len(json.loads((state / "checkpoint.json").read_text())["facts"]["curve"]) == 100  # of 120 steps
    finetune(io, *alone)  # the last 20 steps alone
    assert rows_of(io, "projections") == rows_of(trained, "projections")
    with pytest.raises(Exception, match="checkpoint is of a training of other settings"):
        finetune(io, *alone, "finetune.pairs.rows=8")


def test_augmentation_by_settings(spark, trained, tmp_path):
    io = given(spark, tmp_path)
    named = [{**r.asDict(), "item_name": f"{r.item_name}, frozen"} for r in io.read("items").collect()]
    io.given("items", table(spark, schemas.ITEMS, *named))
    wide = [
        {**r.asDict(), "embedding": [*r.embedding, *[0.0] * 368]} for r in io.read("embeddings").collect()
    ]
    io.given("embeddings", table(spark, schemas.EMBEDDINGS, *wide))
    ways = ["replace=1.0", "drop=0.5", "shuffle=0.5", "tail_baskets=0.5", "tail_low=30", "tail_high=45"]
    finetune(io, "finetune.evaluate.enabled=false", *(f"finetune.augment.{way}" for way in ways))
    assert 48 < io.figures["further_names"] <= 96
    assert io.figures["synthetic_baskets"] > 100
    assert (io.figures["baskets"], io.figures["items_sold"]) == (600, 47)
    assert rows_of(io, "projections") != rows_of(trained, "projections")


def test_too_few_baskets_say_so(spark, tmp_path):
    io = given(spark, tmp_path, baskets=3)
    with pytest.raises(
        Exception, match=r"Too few baskets to train on: none of 48 items|No two items were bought together"
    ):
        finetune(io, "finetune.evaluate.enabled=false")


def test_a_model_is_exported_and_read_again(spark, tmp_path):
    io = given(spark, tmp_path)
    # The shop's vectors have 16 numbers, the encoder's 384: they do not belong together.
    with pytest.raises(InputError, match="do not belong together"):
        finetune(io, "finetune.evaluate.enabled=false", "finetune.export.enabled=true")
    wide = [
        {**r.asDict(), "embedding": [*r.embedding, *[0.0] * 368]} for r in io.read("embeddings").collect()
    ]
    io.given("embeddings", table(spark, schemas.EMBEDDINGS, *wide))
    finetune(io, "finetune.evaluate.enabled=false", "finetune.export.enabled=true")
    folder = io.root / "staging" / "model"
    found = load_trained(folder, width=384)
    assert found.ids == [f"i{i:02d}" for i in range(48)]
    assert "Receipts: 2025-01-01 to 2025-04-10, 600 baskets" in (folder / "model_card.md").read_text()
    with pytest.raises(InputError, match="width 384, but the embeddings here have width 16"):
        load_trained(folder, width=16)
