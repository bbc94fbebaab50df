import numpy as np
import pytest

from basketlens.mine.blocks import BLOCK_ENTRIES
from basketlens.mine.candidates import pair_keys
from basketlens.mine.pairs import count_pairs, is_one_block, local_pairs, partitions_for
from tests.unit.mine.small import counted


@pytest.mark.parametrize(
    ("entries", "cores", "wanted", "partitions"),
    [
        pytest.param(0, 8, 0, 1, id="nothing"),
        pytest.param(1_000_000, 8, 0, 1, id="small-data-is-one-pass"),
        pytest.param(9_000_000, 8, 0, 4, id="as-many-as-are-worth-it"),
        pytest.param(9_000_000_000, 8, 0, 8, id="at-most-one-per-core"),
        pytest.param(1_000_000, 8, 5, 5, id="the-user-decides"),
    ],
)
def test_partitions(entries, cores, wanted, partitions):
    assert partitions_for(entries, cores=cores, wanted=wanted) == partitions


@pytest.mark.parametrize(
    ("entries", "partitions", "is_one"),
    [(BLOCK_ENTRIES, 1, True), (BLOCK_ENTRIES + 1, 1, False), (10, 2, False)],
)
def test_one_block(entries, partitions, is_one):
    assert is_one_block(entries, partitions) is is_one


def test_two_passes_find_exactly_the_frequent_pairs(spark):
    draw = np.random.default_rng(3)
    # Popularity shifts from the first baskets to the last: partitions by order are as unlike as can be.
    baskets = [
        sorted({*draw.integers(0, 8, 3).tolist(), *(draw.integers(0, 8, 2) + i // 15).tolist()})
        for i in range(90)
    ]
    baskets = [basket for basket in baskets if len(basket) > 1]
    coded = spark.createDataFrame([(basket,) for basket in baskets], "items array<int>").repartitionByRange(
        4, "items"
    )
    n_items, min_count = 14, 12
    wanted = {pair: count for pair, count in counted(baskets, [2]).items() if count >= min_count}
    first = local_pairs(coded, rows=len(baskets), n_items=n_items, min_count=min_count).toPandas()
    candidates = set(zip(first["a"], first["b"], strict=True))
    assert set(wanted) <= candidates < set(counted(baskets, [2]))
    pairs = first[["a", "b"]].drop_duplicates()
    keys = pair_keys(pairs["a"].to_numpy(), pairs["b"].to_numpy(), n_items=n_items)
    second = count_pairs(coded, keys, n_items=n_items, min_count=min_count).collect()
    assert {(row["a"], row["b"]): row["count"] for row in second} == wanted
    assert len(second) == len(wanted)
