import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from basketlens.mine.blocks import blocks, keep_baskets, keep_items, pairs_by_distance, to_batches
from tests.unit.mine.small import BASKETS, baskets_of, block_of, counted


def batch(*baskets):
    return pa.RecordBatch.from_arrays([pa.array(baskets, pa.list_(pa.int32()))], ["items"])


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param(100, [[[1, 2], [3], [4, 5, 6], [], [7]]], id="all-in-one"),
        pytest.param(
            3, [[[1, 2], [3]], [[4, 5, 6], []], [[7]]], id="a-block-ends-where-the-next-batch-overflows"
        ),
        pytest.param(1, [[[1, 2], [3]], [[4, 5, 6], []], [[7]]], id="a-batch-is-never-split"),
    ],
)
def test_batches_are_gathered(entries, found):
    batches = [batch([1, 2], [3]), batch([4, 5, 6], []), batch([7])]
    assert [baskets_of(block) for block in blocks(batches, entries=entries)] == found


def test_a_sliced_batch_keeps_to_its_slice():
    (block,) = blocks([batch([1], [2, 3], [4]).slice(1, 1)], entries=10)
    assert baskets_of(block) == [[2, 3]]


def test_no_batches_no_blocks():
    assert list(blocks([], entries=10)) == []


def test_items_and_baskets_are_dropped():
    block = block_of([[0, 1], [1], [], [0, 1, 2]])
    without_one = keep_items(block, block.codes != 1)
    assert baskets_of(without_one) == [[0], [], [], [0, 2]]
    assert baskets_of(keep_baskets(without_one, min_items=1)) == [[0], [0, 2]]


@given(BASKETS)
def test_pairs_by_distance_are_all_pairs_once(baskets):
    block = block_of(baskets)
    found = [
        pair
        for left, right in pairs_by_distance(block)
        for pair in zip(block.codes[left].tolist(), block.codes[right].tolist(), strict=True)
    ]
    assert sorted(found) == sorted(counted(baskets, [2]).elements())


def test_long_columns_go_back_in_several_batches():
    numbers = np.arange(250_000)
    sent = list(to_batches(n=numbers))
    assert [len(part) for part in sent] == [100_000, 100_000, 50_000]
    assert np.concatenate([part.column(0).to_numpy() for part in sent]).tolist() == numbers.tolist()
