"""The tree, its walk and the sums, over blocks and chunks of any size, against loops over baskets."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketlens.mine import customer_shards as rows
from basketlens.mine.shopping_rows import coded_rows
from basketlens.mine.tally import Tally
from basketlens.mine.tree import NONE, Queries, tree_of

N_ITEMS = 5


class Shopping(NamedTuple):
    items: tuple[int, ...]  # ascending
    paid: tuple[int, ...]
    total: int
    customer: int | None
    stratum: int | None


@st.composite
def shoppings(draw):
    items = tuple(sorted(draw(st.sets(st.integers(0, N_ITEMS - 1), min_size=1))))
    paid = tuple(draw(st.integers(0, 50)) for _ in items)
    return Shopping(
        items, paid, sum(paid) + draw(st.integers(0, 9)), draw(st.sampled_from([None, 7, 8, 9])), None
    )


QUERIES = st.sets(
    st.tuples(
        st.sets(st.integers(0, N_ITEMS - 1), min_size=1).map(lambda s: tuple(sorted(s))), st.integers(NONE, 4)
    ),
    max_size=12,
).map(lambda found: sorted({(items, absent) for items, absent in found if absent not in items}))


def asked(queries):
    sizes = [len(items) for items, _ in queries]
    flat = np.array([code for items, _ in queries for code in items], np.int32)
    starts = np.cumsum([0, *sizes]).astype(np.int64)
    return Queries(flat, starts, np.array([absent for _, absent in queries], np.int32))


def pieces(baskets, *, long):
    """Rows of one shard in the order in which a task gets them, `long` baskets in an Arrow batch."""
    ordered = sorted(baskets, key=lambda b: -1 if b.customer is None else b.customer)
    for low in range(0, len(ordered), long):
        some = ordered[low : low + long]
        yield (
            rows.MINED,
            pa.RecordBatch.from_pydict(
                {
                    rows.CODES: pa.array([b.items for b in some], pa.list_(pa.int32())),
                    rows.MONEY: pa.array([b.paid for b in some], pa.list_(pa.int64())),
                    rows.TOTAL: pa.array([b.total for b in some], pa.int64()),
                    rows.CUSTOMER: pa.array([b.customer for b in some], pa.int64()),
                    rows.STRATUM: pa.array([b.stratum for b in some], pa.int32()),
                }
            ),
        )


def loop(baskets, items, absent, max_items):
    """Baskets behind a query: sets of two and more see only the last `max_items` of a basket."""

    def holds(basket, wanted):
        seen = basket.items if len(wanted) == 1 or not max_items else basket.items[-max_items:]
        return set(wanted) <= set(seen)

    return [
        b for b in baskets if holds(b, items) and (absent == NONE or not holds(b, sorted({*items, absent})))
    ]


@given(
    st.lists(shoppings(), max_size=20),
    QUERIES,
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(0, 3),
    st.integers(1, 9),
)
def test_sums_agree_with_loops(baskets, queries, long, entries, max_items, candidates):
    tally = Tally(asked(queries), n_items=N_ITEMS, max_items=max_items, candidates=candidates)
    for _, block in rows.shoppings(pieces(baskets, long=long), entries=entries):
        assert list(tally.add(block)) == []  # no strata
        tally.add_held_out(block)
    for place, (items, absent) in enumerate(queries):
        of = loop(baskets, items, absent, max_items)
        assert tally.count[place] == tally.held_out[place] == len(of)
        assert tally.customers[place] == len({b.customer for b in of} - {None})
        assert tally.total[place] == sum(b.total for b in of)
        assert tally.spent[place] == sum(b.paid[b.items.index(item)] for b in of for item in items)


def test_counts_per_stratum_are_of_queries_alone(spark):
    baskets = [
        Shopping((0, 1), (1, 1), 2, 7, 0),
        Shopping((0, 1, 2), (1, 1, 1), 3, 7, 2),
        Shopping((1,), (1,), 1, 8, 2),
    ]
    tally = Tally(asked([((0, 1), NONE), ((1,), 0)]), n_items=N_ITEMS, max_items=0)
    ((_, block),) = rows.shoppings(pieces(baskets, long=3))
    found = [tuple(map(int, row)) for some in tally.add(block) for row in zip(*some, strict=True)]
    assert sorted(found) == [(0, 0, 1), (0, 2, 1), (1, 2, 1)]  # query, stratum, baskets; not the prefix (1,)


def test_a_prefix_that_is_no_query_has_a_node_without_one():
    tiers = tree_of(asked([((0, 2), NONE), ((0,), 2), ((3,), NONE)]), n_items=N_ITEMS)
    assert [tier.item.tolist() for tier in tiers] == [[0, 3], [2, 2]]
    assert [tier.is_absent.tolist() for tier in tiers] == [[False, False], [False, True]]
    assert [tier.query.tolist() for tier in tiers] == [[NONE, 2], [0, 1]]


def test_shards_are_told_apart_also_within_a_batch():
    batch = pa.RecordBatch.from_pydict(
        {
            rows.SHARD: pa.array([4, 4, 9], pa.int32()),
            rows.PART: pa.array([0, 1, 0], pa.int32()),
            "n": [1, 2, 3],
        }
    )
    found = [
        [(part, piece["n"].to_pylist()) for part, piece in shard]
        for shard in rows.by_shard([batch, batch.slice(2)])
    ]
    assert found == [[(0, [1]), (1, [2])], [(0, [3]), (0, [3])]]


@pytest.mark.parametrize(("entries", "cores", "wanted", "shards"), [
    pytest.param(1_000, 8, 0, 1, id="little-is-for-one-task"),
    pytest.param(1_000_000, 2, 0, 2, id="a-shard-per-core"),
    pytest.param(1 << 30, 2, 0, 16, id="more-where-a-shard-would-be-too-long"),
    pytest.param(1_000, 2, 5, 5, id="as-wanted"),
])  # fmt: skip
def test_number_of_shards(entries, cores, wanted, shards):
    assert rows.shards_for(entries, cores=cores, wanted=wanted) == shards


def test_lines_become_coded_baskets():
    batch = pa.RecordBatch.from_pydict({
        rows.SHARD: pa.array([5, -4, 6], pa.int64()),
        rows.CUSTOMER: pa.array([5, None, 6], pa.int64()),
        rows.TOTAL: pa.array([100, 200, 300], pa.int64()),
        rows.STRATUM: pa.array([1, None, 2], pa.int32()),
        "items": pa.array([["b", "a", "b", None], ["zzz"], ["c"]], pa.list_(pa.string())),
        rows.MONEY: pa.array([[1, 2, 4, 8], [3], [None]], pa.list_(pa.int64())),
    })  # fmt: skip
    found = coded_rows(batch, pa.array(["a", "b", "c"]), labels=np.array([40, 41], np.int32), part=rows.MINED)
    wanted = [  # the second basket has no frequent item
        (41, rows.MINED, 5, [0, 1], [2, 5], 100, 1),
        (40, rows.MINED, 6, [2], [0], 300, 2),
    ]
    kept = (rows.SHARD, rows.PART, rows.CUSTOMER, rows.CODES, rows.MONEY, rows.TOTAL, rows.STRATUM)
    assert [tuple(row[name] for name in kept) for row in found.to_pylist()] == wanted
