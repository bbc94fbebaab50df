import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketlens.mine.bitmap import itemsets
from basketlens.mine.blocks import lists_of, to_batches
from basketlens.mine.shards import by_shard, cuts, shards_for
from basketlens.mine.vertical import gathered
from tests.unit.mine.small import BASKETS, N_ITEMS, baskets_of, block_of, counted

EVERY = np.ones(N_ITEMS, np.bool_)


def as_counts(found):
    rows = [
        (tuple(row), int(n)) for few in found for row, n in zip(few.items.tolist(), few.counts, strict=True)
    ]
    assert len(dict(rows)) == len(rows), "an itemset was found twice"
    return dict(rows)


def frequent(baskets, sizes, min_count):
    return {items: n for items, n in counted(baskets, sizes).items() if n >= min_count}


@pytest.mark.parametrize(
    "bitmap_bytes", [pytest.param(1 << 20, id="bitmaps"), pytest.param(0, id="split-by-the-next-item")]
)
@given(BASKETS, st.integers(1, 4), st.integers(2, 4), st.integers(0, 5))
def test_bitmaps_find_what_a_loop_finds(bitmap_bytes, baskets, min_count, min_size, more):
    max_size = min_size + more
    found = itemsets(
        block_of(baskets),
        EVERY,
        min_count=min_count,
        min_size=min_size,
        max_size=max_size,
        bitmap_bytes=bitmap_bytes,
    )
    assert as_counts(found) == frequent(baskets, range(min_size, max_size + 1), min_count)


def test_counts_beyond_a_word_of_64_baskets():
    baskets = [[0, 1, 2]] * 129 + [[0, 1]] * 3
    found = itemsets(block_of(baskets), EVERY, min_count=129, min_size=3, max_size=9)
    assert as_counts(found) == {(0, 1, 2): 129}


@given(BASKETS, st.integers(1, 3), st.integers(1, 5), st.integers(1, 30))
def test_shards_together_find_each_set_once(baskets, min_count, shards, entries):
    parts = {shard: [] for shard in range(shards)}
    for numbers, part in cuts(block_of(baskets), EVERY, shards=shards, entries=entries):
        assert len(numbers) == len(part.starts) - 1
        for shard, basket in zip(numbers.tolist(), baskets_of(part), strict=True):
            parts[shard].append(basket)
    found = {}
    for shard, rows in parts.items():
        mine = np.arange(N_ITEMS) % shards == shard
        sets = as_counts(itemsets(block_of(rows), mine, min_count=min_count, min_size=3, max_size=N_ITEMS))
        assert not found.keys() & sets.keys()
        found |= sets
    assert found == frequent(baskets, range(3, N_ITEMS + 1), min_count)


def test_shards_are_told_apart_within_and_across_batches():
    block = block_of([[0], [1, 2], [3], [4], [5, 6]])
    [batch] = to_batches(shard=np.array([1, 1, 4, 4, 9], np.int32), items=lists_of(block))
    batches = [batch.slice(0, 1), batch.slice(1, 2), batch.slice(3, 0), batch.slice(3, 2)]
    found = [(shard, baskets_of(part)) for shard, part in by_shard(batches)]
    assert found == [(1, [[0], [1, 2]]), (4, [[3], [4]]), (9, [[5, 6]])]


@pytest.mark.parametrize(
    ("cells", "entries", "wanted"),
    [
        pytest.param(0, 0, 1, id="nothing"),
        pytest.param(1_000_000, 500_000, 1, id="small"),
        pytest.param(5_000_000, 500_000, 8, id="two-for-each-core"),
        pytest.param(10**12, 10**11, 59_605, id="by-memory"),
    ],
)
def test_shards_for(cells, entries, wanted):
    assert shards_for(cells, entries=entries, cores=4, n_items=100_000) == wanted
    assert shards_for(cells, entries=entries, cores=4, n_items=3) <= 3


def test_gathered_loses_nothing():
    baskets = [[0, 1, 2, 3, 4, 5]] * 2
    found = list(itemsets(block_of(baskets), EVERY, min_count=2, min_size=3, max_size=6))
    assert as_counts(gathered(iter(found), sets=4)) == as_counts(found)
    assert len(list(gathered(iter(found), sets=1000))) == 4  # one piece for each size
