"""Bytes as counted are those of the tensors, and a task stays within its memory."""

import os
import subprocess
import sys

import pytest
import torch

from basketlens.errors import SettingsError
from basketlens.link.budget import ID_BYTES, MIB, Load, fixed_bytes, key_bytes, plan, query_bytes
from basketlens.link.shard import Shard
from basketlens.link.softmax import nothing_seen

LOADS = {
    "plain": Load(items=1000, width=384, top=50),
    "half": Load(items=1000, width=64, top=1, is_half=True),
    "masked": Load(items=1000, width=64, top=3000, is_masked=True),
    "trained": Load(items=1000, width=32, top=50, context=384, is_trained=True),
    "context": Load(items=1000, width=384, top=50, context=384),
}


def size(*tensors):
    """Bytes of the memory behind them, each counted once."""
    behind = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors if t is not None}
    return sum(behind.values())


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_bytes_are_those_of_the_tensors(load):
    m = 10
    vectors = torch.zeros(m, load.width)
    shard = Shard.of(
        vectors,
        bias=torch.zeros(m, dtype=torch.float64) if load.is_trained else None,
        groups=torch.zeros(m, dtype=torch.int64) if load.is_masked else None,
        values=(torch.zeros(m, load.context) if load.is_trained else vectors) if load.context else None,
        is_half=load.is_half,
    )
    tensors = size(shard.vectors, shard.bias, shard.groups, shard.values, shard.halves)
    temporary = m * (4 + 8 * load.is_trained)  # lengths, |bias|
    assert key_bytes(load) * m == tensors + temporary + ID_BYTES * m
    seen = nothing_seen(m, load.top, like=vectors, width=load.context)
    groups = torch.zeros(m, dtype=torch.int64) if load.is_masked else None
    self_at = torch.zeros(m, dtype=torch.int64)
    as_arrow_has_it = 8 * m
    known = size(vectors, *seen, groups, self_at) + size(vectors) + as_arrow_has_it
    assert query_bytes(load) * m == known + ID_BYTES * m


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("items", [1000, 1_000_000, 10_000_000])
def test_a_plan_fits(load, items):
    load, memory = load._replace(items=items), 4096 * MIB
    cut = plan(load, memory=memory)
    taken = fixed_bytes(load) + items * ID_BYTES
    assert taken + cut.keys * key_bytes(load) + cut.queries * query_bytes(load) <= memory
    assert cut.keys == items or cut.keys * key_bytes(load) > 0.49 * (memory - taken)
    assert cut.queries > 1000


def test_a_catalogue_that_fits_is_held_in_one_piece():
    assert plan(Load(items=30_000, width=384, top=50), memory=2048 * MIB).keys == 30_000


def test_too_little_memory_names_how_much_would_do():
    load = Load(items=1_000_000, width=384, top=50)
    with pytest.raises(
        SettingsError, match=r"(?s)memory_mib = 100 is too small.*memory_mib=\d+ or more"
    ) as error:
        plan(load, memory=100 * MIB)
    enough = int(str(error.value).split("memory_mib=")[1].split()[0])
    assert plan(load, memory=enough * MIB).queries > 100
    with pytest.raises(SettingsError):
        plan(load, memory=(enough - 1) * MIB)


TASK = """
import resource, sys
import numpy as np, pyarrow as pa, torch
from basketlens.link import budget, streaming
from basketlens.link.fields import Task

items, width, top, context, memory = map(int, sys.argv[1:])
cut = budget.plan(budget.Load(items, width, top, context), memory=memory << 20)
queries = min(cut.queries, 600)

def batches():
    draw = np.random.default_rng(0)
    for is_key, count in ((False, queries), (True, items)):
        for start in range(0, count, 10_000):
            ids = np.char.mod("%020d", np.arange(start, min(start + 10_000, count)))
            flat = draw.normal(size=len(ids) * width).astype(np.float32)
            lists = pa.ListArray.from_arrays(np.arange(len(ids) + 1, dtype=np.int32) * width, flat)
            yield pa.RecordBatch.from_pydict({
                "block": pa.array(np.zeros(len(ids), np.int32)), "is_key": pa.array([is_key] * len(ids)),
                "item_id": pa.array(ids.tolist()), "vector": lists,
            })

task = Task(0.05, top, cut.keys, None, False, context, "embeddings")
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
torch.set_num_threads(1)
torch.ones(64, 64) @ torch.ones(64, 64)
before = peak()
rows = sum(len(page) for page in streaming.attention_pages(batches(), task))
assert rows == queries
print(cut.keys, (peak() - before) / 1024)
"""


@pytest.mark.parametrize(("items", "width", "top", "context", "memory", "is_cut"), [
    pytest.param(20_000, 128, 50, 128, 192, False, id="resident"),
    pytest.param(300_000, 128, 50, 0, 192, True, id="shards"),
    pytest.param(8_000, 64, 3000, 0, 512, False, id="many-neighbours"),
])  # fmt: skip
def test_a_task_stays_within_its_memory(items, width, top, context, memory, is_cut):
    lib = os.path.join(os.path.dirname(__file__), "..", "..", "..", "lib")
    arguments = map(str, (items, width, top, context, memory))
    done = subprocess.run(
        [sys.executable, "-c", TASK, *arguments],
        env={**os.environ, "PYTHONPATH": lib, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    keys, grown = done.stdout.split()
    assert (int(keys) < items) == is_cut
    assert float(grown) < memory
