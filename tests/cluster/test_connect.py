"""`link`'s plan and `embed_udf` over Spark Connect: a client without a JVM, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("grpc", "grpc_status", "zstandard"):
    pytest.importorskip(needed, reason="the packages of Spark Connect are not installed")

LIB = Path(__file__).resolve().parents[2] / "lib"
CLIENT = """
import numpy as np
from pyspark.sql import SparkSession

spark = SparkSession.builder.remote("local[2]").getOrCreate()
assert "connect" in type(spark).__module__

from basketlens.embed.udf import embed_udf
from basketlens.link.blocks import attention_rows, links_of
from basketlens.link.fields import Task

x = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
x /= np.linalg.norm(x, axis=1, keepdims=True)
ids = [f"i{i:03d}" for i in range(200)]
rows = [(i, v.tolist(), n < 190) for n, (i, v) in enumerate(zip(ids, x))]
vectors = spark.createDataFrame(rows, "item_id string, embedding array<float>, is_sold boolean")
task = Task(scale=0.25, top=5, key_shard=64, within=None, is_half=False, context_width=0, table="embeddings")
links = links_of(attention_rows(vectors, task, blocks=4, device="cpu")).toPandas().sort_values(["item_id", "rank"])

scores = x.astype(np.float64) @ x.astype(np.float64).T * 0.25
np.fill_diagonal(scores, -np.inf)
scores[:, 190:] = -np.inf  # not sold
for i, row in zip(ids, scores):
    p = np.exp(row - np.log(np.exp(row).sum()))
    best = np.argsort(-row)[:5]
    found = links[links.item_id == i]
    assert found.neighbor_id.tolist() == [ids[j] for j in best]
    assert np.allclose(found.attention, p[best], rtol=1e-5)

names = spark.createDataFrame([("oat milk",), ("tortilla chips",)], "name string")
made = names.select(embed_udf()("name").alias("vector")).toPandas()["vector"]
assert [len(v) for v in made] == [384, 384]
print("over Spark Connect: all as wanted")
"""


def test_link_and_embed_udf_over_spark_connect():
    environment = {**os.environ, "PYTHONPATH": str(LIB), "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "over Spark Connect: all as wanted" in done.stdout, done.stderr[-3000:]
