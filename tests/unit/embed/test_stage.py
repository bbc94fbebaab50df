import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from pyspark import TaskContext
from pyspark.sql import functions as F

from basketlens import schemas
from basketlens.embed import stage
from basketlens.embed.encoder import Encoder
from basketlens.embed.model_files import model_digest
from basketlens.embed.options import EncoderOptions
from basketlens.embed.resident import encoder_for
from basketlens.errors import InputError
from basketlens.faults import SPARK_ERRORS
from basketlens.locations import resolve
from basketlens.settings_files import load_settings
from tests.unit.embed.conftest import MODEL, tiny_gpt2
from tests.unit.folder_io import FolderIO


def settings(**changed):
    return load_settings("base", [f"embed.{key}={value}" for key, value in changed.items()], {})


def products(spark, *names):
    hashed = [hashlib.sha256(n.encode()).hexdigest()[:20] if n else None for n in names]
    rows = [
        (str(i), n, None, None, None, None, "none", h, True)
        for i, (n, h) in enumerate(zip(names, hashed, strict=True))
    ]
    return spark.createDataFrame(rows, schemas.PRODUCTS)


def vectors(io):
    return {r.product_name: r.embedding for r in io.read("embeddings").collect()}


def test_names_are_embedded_once(spark, tmp_path):
    io = FolderIO(spark, tmp_path)
    io.given("products", products(spark, "milk", "milk", "oat milk", None))
    stage.run(io, settings())
    digest = stage.extra(settings())["model"]
    wanted = {"names": 2, "embedded": 2, "reused": 0, "rows_in": 4, "model": digest, "device": "cpu"}
    assert wanted.items() <= io.figures.items()
    assert io.figures["model_loads"] <= 2
    assert io.figures["names_per_second"] > 0
    assert io.figures["tokens_per_task_second"] > 0
    assert 0 <= io.figures["padding_share"] < 0.5
    assert 0 < io.figures["gflops_per_task"]
    assert 0 < io.figures["share_of_gemm_peak"] < 1.5  # a peak that was measured beside other work
    assert io.figures["parity"] >= 0.999
    first = vectors(io)
    encoder = Encoder.load(Path(resolve(MODEL)), EncoderOptions(), device="cpu")
    wanted = encoder.probe(["milk", "oat milk"])
    assert np.array([first["milk"], first["oat milk"]]) == pytest.approx(wanted, abs=2e-6)
    io.publish()

    io.given("products", products(spark, "milk", "tea"))  # oat milk has left the catalogue; its vector stays
    stage.run(io, settings())
    assert (io.figures["names"], io.figures["embedded"], io.figures["reused"]) == (2, 1, 1)
    assert io.read("new_embeddings").count() == 1
    second = vectors(io)
    assert set(second) == {"milk", "oat milk", "tea"}
    assert second["milk"] == first["milk"]
    io.publish()

    stage.run(io, settings())
    assert io.written == ["names", "embeddings"]  # no worker was asked for a vector
    assert (io.figures["embedded"], io.figures["device"]) == (0, "none")
    assert vectors(io) == second
    io.publish()

    stage.run(io, settings(max_tokens=64))  # other vectors for long names: nothing is reused
    assert (io.figures["embedded"], io.figures["reused"]) == (2, 0)
    assert set(vectors(io)) == {"milk", "tea"}


def test_no_products(spark, tmp_path):
    io = FolderIO(spark, tmp_path)
    io.given("products", products(spark))
    stage.run(io, settings())
    assert vectors(io) == {}
    assert (io.figures["names"], io.figures["rows_in"], io.figures["device"]) == (0, 0, "none")


def test_one_load_per_python_worker(spark):
    """32 tasks, 2 workers at a time.  max_tokens = 77 is this test's alone: workers outlive tests."""
    options = EncoderOptions(max_tokens=77)
    digest = model_digest(MODEL, options)

    def run(pages):
        for page in pages:
            before = encoder_for.cache_info().misses
            encoder_for(MODEL, digest, options, "cpu", "never", download=False).probe(["milk"])
            page["worker"], page["task"] = os.getpid(), TaskContext.get().partitionId()
            page["loads"] = encoder_for.cache_info().misses - before
            yield page

    schema = "id long, worker long, task long, loads long"
    rows = spark.range(32).repartition(32, "id").mapInPandas(run, schema)
    found = rows.groupBy("worker").agg(F.countDistinct("task").alias("tasks"), F.sum("loads").alias("loads"))
    per_worker = {r.worker: (r.tasks, r.loads) for r in found.collect()}
    assert sum(tasks for tasks, _ in per_worker.values()) > 2 * len(per_worker)
    assert {loads for _, loads in per_worker.values()} == {1}


def test_a_gpu_that_is_not_there_is_an_error(spark, tmp_path):
    io = FolderIO(spark, tmp_path)
    io.given("products", products(spark, "milk"))
    with pytest.raises(SPARK_ERRORS, match=r"basketlens\.errors\.InputError: embed\.device = 'cuda'"):
        stage.run(io, settings(device='"cuda"'))


def test_another_model_on_an_executor_is_an_error():
    with pytest.raises(InputError, match="differs between machines"):
        encoder_for(MODEL, "0" * 64, EncoderOptions(), "cpu", "never", download=False)


def test_a_name_that_fails_is_written_with_its_error_and_tried_again(spark, tmp_path):
    """A GPT-2 whose vocabulary ends before some tokens of its tokenizer."""
    io, model = FolderIO(spark, tmp_path / "tables"), tiny_gpt2(tmp_path / "gpt2", vocabulary=257)
    io.given(
        "products", products(spark, "abc", "milk milk")
    )  # bytes are tokens 0 to 255, "milk" one of those after
    for _ in range(2):
        stage.run(io, settings(model=f"'{model}'"))
        rows = {r.product_name: r for r in io.read("embeddings").collect()}
        assert rows["abc"].error is None
        assert rows["milk milk"].embedding is None
        assert "is beyond the model's vocabulary of 257" in rows["milk milk"].error
        assert io.figures["failed"] == 1
        assert io.figures["first_failed"].startswith("milk milk: token ")
        reused = io.figures["reused"]
        io.publish()
    assert reused == 1  # not the one that failed

    io.given("products", products(spark, "milk"))
    with pytest.raises(InputError, match="None of 1 names could be embedded"):
        stage.run(io, settings(model=f"'{model}'", max_tokens=64))


def test_bare_names_are_embedded_too_when_told(spark, tmp_path):
    io = FolderIO(spark, tmp_path)
    io.given("products", products(spark, "oat milk, dairy, grocery, 1 l", "salsa"))
    stage.run(io, settings(bare_names="true"))
    assert set(vectors(io)) == {"oat milk, dairy, grocery, 1 l", "oat milk, 1 l", "salsa"}
