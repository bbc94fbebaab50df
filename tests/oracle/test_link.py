"""`link` against a dense float64 softmax, through Spark, on tables that a stage before it would publish."""

import json
import math
from collections import defaultdict

import numpy as np
import pytest

from basketlens import schemas
from basketlens.errors import InputError
from basketlens.faults import SPARK_ERRORS
from basketlens.link import stage
from basketlens.settings_files import load_settings
from tests.unit.folder_io import FolderIO


def published(spark, root, vectors, *, partitions=1, groups=None, projections=None):
    """FolderIO with items named i000, i001, ... (one name each) that have these vectors, and groups by both names."""
    io = FolderIO(spark, root)
    ids = [f"i{i:03d}" for i in range(len(vectors))]
    items = [(i, "name", i, g, g, 1) for i, g in zip(ids, groups or [None] * len(ids), strict=True)]
    embeddings = [(i, i, [float(x) for x in v], "digest") for i, v in zip(ids, vectors, strict=True)]
    io.given("items", spark.createDataFrame(items[::-1], schemas.ITEMS).repartition(partitions))
    io.given("products", spark.createDataFrame([], schemas.PRODUCTS))
    io.given(
        "embeddings", spark.createDataFrame(embeddings, schemas.EMBEDDINGS_INPUT).repartition(partitions)
    )
    if projections is not None:
        rows = [(i, *(part.tolist() for part in row)) for i, row in zip(ids, projections, strict=False)]
        io.given("projections", spark.createDataFrame(rows, schemas.PROJECTIONS))
    return io


def link(io, *, cores=2, **changed):
    io.cores = cores
    stage.run(
        io, load_settings("base", [f"link.{key}={json.dumps(value)}" for key, value in changed.items()], {})
    )
    neighbors = defaultdict(list)
    for row in sorted(io.read("links").collect(), key=lambda r: (r.item_id, r["rank"])):
        neighbors[row.item_id].append(row)
    return neighbors, {r.item_id: r for r in io.read("link_stats").collect()}


def plain(found):
    neighbors, stats = found
    return {i: [tuple(r) for r in rows] for i, rows in neighbors.items()}, {
        i: tuple(r) for i, r in stats.items()
    }


def with_copies(seed, *, names=50, n=150, d=16):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(names, d))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)[draw.integers(0, names, n)]


@pytest.mark.parametrize("seed", range(2))
def test_agrees_with_a_dense_softmax(spark, tmp_path, seed):
    vectors = with_copies(seed)
    io = published(spark, tmp_path, vectors)
    neighbors, stats = link(io, top_k=20, write_context=True)
    contexts = {r.item_id: r.context for r in io.read("contexts").collect()}
    x = vectors.astype(np.float64)
    scores = (x[:, None, :] * x[None, :, :]).sum(-1) / math.sqrt(16)
    np.fill_diagonal(scores, -np.inf)
    for i, row in enumerate(scores):
        lse = np.log(np.exp(row).sum())
        best = np.lexsort((np.arange(len(row)), -row))[:20]
        p = np.exp(row - lse)
        name = f"i{i:03d}"
        assert [r["rank"] for r in neighbors[name]] == list(range(1, 21))
        assert [r.neighbor_id for r in neighbors[name]] == [f"i{j:03d}" for j in best]
        assert [r.score for r in neighbors[name]] == pytest.approx(row[best], rel=1e-6)
        assert [r.attention for r in neighbors[name]] == pytest.approx(p[best], rel=1e-5)
        assert stats[name].log_sum_exp == pytest.approx(lse, rel=1e-6)
        assert contexts[name] == pytest.approx((p @ x).tolist(), abs=1e-6)
        assert stats[name].top_mass == pytest.approx(p[best].sum(), rel=1e-5)
        assert stats[name].entropy == pytest.approx(-(p[p > 0] * np.log(p[p > 0])).sum(), rel=1e-5)


@pytest.mark.parametrize("mask", ["same_department", "other_category"])
def test_masks(spark, tmp_path, mask):
    vectors, names = with_copies(3, n=80), ["dairy", "bread", None, "wine", "only"]
    draw = np.random.default_rng(3)
    groups = [names[i] for i in draw.integers(0, 4, 79)] + ["only"]
    io = published(spark, tmp_path, vectors, groups=groups)
    neighbors, stats = link(io, top_k=70, mask=mask)
    x = vectors.astype(np.float64)
    scores = (x[:, None, :] * x[None, :, :]).sum(-1) / math.sqrt(16)
    for i, group in enumerate(groups):
        is_other = [group is None or g is None or g != group for g in groups]
        allowed = [j for j in range(80) if j != i and is_other[j] == (mask == "other_category")]
        best = sorted(allowed, key=lambda j: (-scores[i, j], j))[:70]
        found = stats[f"i{i:03d}"]
        assert [r.neighbor_id for r in neighbors[f"i{i:03d}"]] == [f"i{j:03d}" for j in best]
        if not allowed:
            assert tuple(found)[1:] == (None, 0.0, 0.0)
            continue
        lse = np.log(np.exp(scores[i, allowed]).sum())
        assert found.log_sum_exp == pytest.approx(lse, rel=1e-6)
        assert [r.attention for r in neighbors[f"i{i:03d}"]] == pytest.approx(
            np.exp(scores[i, best] - lse).tolist(), rel=1e-5
        )
    assert (io.figures["mask"], io.figures["items_without_group"]) == (mask, groups.count(None))


@pytest.mark.parametrize("mask", ["all", "same_department"])
def test_projections(spark, tmp_path, mask):
    """The last two items have none: they have no links, and are nobody's."""
    draw = np.random.default_rng(5)
    queries, keys = draw.normal(size=(2, 60, 8)).astype(np.float32)
    bias = draw.normal(size=60) * 3
    groups = ["a", "b", "c", "a"] * 15 + ["a", "b"]
    projections = list(zip(queries, keys, bias, strict=True))
    values = with_copies(5, n=62)
    io = published(spark, tmp_path, values, groups=groups, projections=projections)
    neighbors, stats = link(io, top_k=7, mask=mask, write_context=True)
    contexts = {r.item_id: r.context for r in io.read("contexts").collect()}
    scores = queries.astype(np.float64) @ keys.T.astype(np.float64) + bias
    is_hidden = np.equal.outer(groups[:60], groups[:60]) == (mask == "other_category")
    scores[is_hidden & (mask != "all")] = -np.inf
    np.fill_diagonal(scores, -np.inf)
    assert set(stats) == {f"i{i:03d}" for i in range(60)}
    for i, row in enumerate(scores):
        lse = np.log(np.exp(row).sum())
        best = np.argsort(-row)[:7]
        assert [r.neighbor_id for r in neighbors[f"i{i:03d}"]] == [f"i{j:03d}" for j in best]
        assert [r.score for r in neighbors[f"i{i:03d}"]] == pytest.approx(row[best].tolist(), rel=1e-6)
        assert [r.attention for r in neighbors[f"i{i:03d}"]] == pytest.approx(
            np.exp(row[best] - lse), rel=1e-5
        )
        assert stats[f"i{i:03d}"].log_sum_exp == pytest.approx(lse, rel=1e-6)
        wanted = np.exp(row - lse) @ values[:60].astype(np.float64)
        assert contexts[f"i{i:03d}"] == pytest.approx(wanted.tolist(), abs=1e-6)
    assert (io.figures["items"], io.figures["items_without_projection"], io.figures["scale"]) == (60, 2, None)


def test_blocks_shards_partitions_and_bfloat16_change_no_link(spark, tmp_path):
    vectors = with_copies(7)
    one = plain(link(published(spark, tmp_path / "a", vectors), top_k=5, cores=1))
    two = plain(link(published(spark, tmp_path / "b", vectors, partitions=3), top_k=5, cores=3))
    half = plain(link(published(spark, tmp_path / "c", vectors), top_k=5, cores=1, dtype="bf16"))
    exact = lambda found: {i: [r[:4] for r in rows] for i, rows in found[0].items()}  # noqa: E731
    assert exact(one) == exact(two) == exact(half)
    for i, stats in one[1].items():
        assert stats[1:] == pytest.approx(two[1][i][1:], rel=1e-6)


@pytest.mark.parametrize(("n", "neighbors"), [(0, 0), (1, 0), (3, 2)])
def test_few_items(spark, tmp_path, n, neighbors):
    io = published(spark, tmp_path, np.eye(4, dtype=np.float32)[:n])
    links, stats = link(io, top_k=10, write_context=True)
    contexts = {r.item_id: r.context for r in io.read("contexts").collect()}
    assert [len(links[i]) for i in stats] == [neighbors] * n
    plain_figures = {
        "items": n,
        "items_sold": n,
        "items_without_vector": 0,
        "items_without_projection": 0,
        "items_without_group": 0,
        "top_k": 10,
        "mask": "all",
    }
    error = io.figures.pop("score_error")
    assert io.figures.pop("device") == ("cpu" if n else None)
    assert (io.figures.pop("key_shard"), io.figures.pop("blocks")) == (max(1, n), max(1, min(n, 2)))
    assert io.figures == {**plain_figures, "scale": 0.5 if n else 1.0}
    assert error is None if n == 0 else 0 < error < 1e-6
    if n == 1:
        assert tuple(stats["i000"]) == ("i000", None, 0.0, 0.0)
        assert contexts == {"i000": None}


@pytest.mark.parametrize(("key", "bias", "message"), [
    pytest.param([1.0, math.nan], 0.0, "item 'i001'", id="nan-key"),
    pytest.param([1.0, 0.0], math.inf, "'projections'.*not finite", id="infinite-bias"),
    pytest.param([1.0], 0.0, "have 2,2,1 numbers in one item, 2,2,2", id="widths"),
    pytest.param([1.0, 1e30], 0.0, "do not fit float32", id="too-long"),
])  # fmt: skip
def test_projections_that_cannot_be_used(spark, tmp_path, key, bias, message):
    rows = [(np.ones(2), np.array(k), np.array(b)) for k, b in (([1.0, 1.0], 0.0), (key, bias))]
    with pytest.raises((InputError, *SPARK_ERRORS), match=message) as caught:
        link(published(spark, tmp_path, np.eye(2, dtype=np.float32), projections=rows))
    assert isinstance(caught.value, InputError) or "basketlens.errors.InputError: " in str(caught.value)


@pytest.mark.parametrize(("vectors", "message"), [
    pytest.param([[1.0], [1.0, 0.0]], "not of one width.* 1 numbers in one item, 2 in", id="two-widths"),
    pytest.param([[1.0, 0.0], [math.nan, 0.0]], "not finite", id="nan"),
    pytest.param([[1.0, 0.0], [math.inf, 0.0]], "item 'i001'", id="infinite"),
])  # fmt: skip
def test_vectors_that_cannot_be_used(spark, tmp_path, vectors, message):
    with pytest.raises((InputError, *SPARK_ERRORS), match=message) as caught:
        link(published(spark, tmp_path, vectors))
    # A worker's error travels as text; the runner turns this prefix back into an InputError.
    assert isinstance(caught.value, InputError) or "basketlens.errors.InputError: " in str(caught.value)
