"""A task over Arrow batches: keys in one piece and in shards, against a dense float64 softmax."""

import math

import numpy as np
import pyarrow as pa
import pytest

from basketlens.errors import InputError
from basketlens.link.fields import Task
from basketlens.link.streaming import attention_pages

PLAIN = Task(
    scale=0.4, top=5, key_shard=10_000, within=None, is_half=False, context_width=0, table="embeddings"
)


def vectors(n, d=8, seed=0):
    """float32; every fourth is one that was there before."""
    x = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    x[3::4] = x[0 : len(x[3::4])]
    return x


def batches(queries, keys, *, rows=700):
    """Two blocks: even and odd queries, each before all keys."""
    for block in (0, 1):
        own = range(block, len(queries), 2)
        at = [(False, i, queries[i]) for i in own] + [(True, j, key) for j, key in enumerate(keys)]
        for start in range(0, len(at), rows):
            is_key, ids, found = zip(*at[start : start + rows], strict=True)
            yield pa.RecordBatch.from_pydict({
                "block": pa.array([block] * len(ids), pa.int32()),
                "is_key": pa.array(is_key),
                "item_id": pa.array([f"i{i:05d}" for i in ids]),
                "vector": pa.array([v.tolist() for v in found], pa.list_(pa.float32())),
            })  # fmt: skip


def attended(queries, keys, task, device="cpu"):
    pages = attention_pages(batches(queries, keys), task, device=device)
    return {row["item_id"]: row for page in pages for row in page.to_pylist()}


@pytest.mark.parametrize(("n", "few", "top"), [
    pytest.param(3100, 30, 1, id="k-1"),
    pytest.param(3100, 30, 50, id="k-50"),
    pytest.param(3100, 12, 2049, id="k-beyond-2048"),
    pytest.param(3100, 12, 3000, id="k-3000"),
    pytest.param(40, 40, 60, id="n-below-k"),
    pytest.param(1, 1, 3, id="n-1"),
    pytest.param(2, 2, 3, id="n-2"),
])  # fmt: skip
@pytest.mark.parametrize("is_half", [False, True])
def test_resident_and_sharded_keys_agree_with_a_dense_softmax(*, n, few, top, is_half):
    keys = vectors(n)
    task = PLAIN._replace(top=top, is_half=is_half, context_width=8)
    resident = attended(keys[:few], keys, task)
    sharded = attended(keys[:few], keys, task._replace(key_shard=max(1, n // 3)))
    x = keys.astype(np.float64)
    scores = (x[:few, None, :] * x[None, :, :]).sum(-1) * task.scale
    scores[range(few), range(few)] = -math.inf
    assert len(resident) == len(sharded) == few
    for found in (resident, sharded):
        for i, row in enumerate(scores):
            got = found[f"i{i:05d}"]
            kept = min(top, n - 1)
            best = np.lexsort((np.arange(n), -row))[:kept]
            assert got["neighbor_ids"] == [f"i{j:05d}" for j in best]
            assert got["scores"] == pytest.approx(row[best].tolist(), rel=1e-6)
            if n == 1:
                assert (got["log_sum_exp"], got["context"], got["entropy"]) == (None, None, 0)
                continue
            lse = np.log(np.exp(row - row.max()).sum()) + row.max()
            off = got["score_error"]
            assert off < (0.02 if is_half else 1e-5)
            assert got["log_sum_exp"] == pytest.approx(lse, abs=off + 1e-6)
            assert got["attentions"] == pytest.approx(np.exp(row[best] - lse).tolist(), rel=2 * off + 1e-5)
            wanted = np.exp(row - lse) @ x
            assert got["context"] == pytest.approx(wanted.tolist(), abs=2 * off * np.abs(x).max() + 1e-5)


@pytest.mark.parametrize(("rows", "is_query"), [
    pytest.param(700, False, id="keys-of-one-batch"),
    pytest.param(1, False, id="keys-of-two-batches"),
    pytest.param(700, True, id="queries"),
])  # fmt: skip
def test_an_item_with_two_vectors_is_refused(*, rows, is_query):
    def twice():
        for batch in batches(vectors(6), vectors(6), rows=700):
            found = batch.to_pylist()
            for row in found:
                is_changed = row["is_key"] != is_query and row["item_id"] == "i00003"
                row["item_id"] = ("i00001" if is_query else "i00002") if is_changed else row["item_id"]
            for start in range(0, len(found), rows):
                yield pa.RecordBatch.from_pylist(found[start : start + rows], schema=batch.schema)

    with pytest.raises(InputError, match="several vectors for item 'i0000"):
        list(attention_pages(twice(), PLAIN))


def test_a_key_that_is_kept_does_not_keep_its_batch():
    """Ids of all keys stay to the end; were they slices of the batches, so would all vectors."""
    from basketlens.link.rows import Reader

    [batch] = batches(vectors(1, d=1000), [], rows=10)
    [piece] = Reader("embeddings").pieces(batch)
    assert piece.ids.get_total_buffer_size() < 200
    assert piece.ids.buffers()[2].address != batch["item_id"].buffers()[2].address
