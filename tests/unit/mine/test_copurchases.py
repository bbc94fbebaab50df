"""The Gram matrix of the most purchased items, against a loop."""

import math
from itertools import combinations_with_replacement

import numpy as np
import pytest

from basketlens import schemas
from basketlens.mine.baskets import items_per_basket
from basketlens.mine.copurchases import write_copurchases
from basketlens.mine.facts import with_facts
from tests.builders import table
from tests.unit.mine.local_io import LocalIO, settings_in


def random_baskets(seed):
    draw = np.random.default_rng(seed)
    return [sorted(set(draw.integers(0, 9, draw.integers(1, 7)).tolist())) for _ in range(60)]


def mined(spark, folder, baskets, *changed, partitions=1, cores=2):
    rows = [{"basket_id": f"b{b}", "product_id": f"i{i}"} for b, items in enumerate(baskets) for i in items]
    lines = table(spark, schemas.LINES, *rows).repartition(partitions)
    settings = settings_in(
        folder, 'mine.levels=["product"]', 'report.level="product"', 'link.level="product"', *changed,
    )  # fmt: skip
    io = LocalIO(spark, settings, {"lines": lines}, cores=cores)
    grouped = items_per_basket(with_facts(lines, stratify=""), None, ["product"], stratify="")
    io.write("baskets", grouped, doing="grouping lines into baskets")
    io.note(**write_copurchases(io, settings, entries=len(rows)))
    return io


def gram(io):
    """item ids -> weight of the baskets that hold both, from the table."""
    rows = sorted(io.read("copurchases").collect(), key=lambda r: r.place)
    assert [r.place for r in rows] == list(range(len(rows)))
    ids = [r.item_id for r in rows]
    assert ids == sorted(ids)
    assert all(r.others == sorted(set(r.others)) and r.others[0] == r.place for r in rows)
    return {(r.item_id, ids[o]): n for r in rows for o, n in zip(r.others, r.together, strict=True)}


def looped(baskets, *, most, max_items=99):
    """The same, added up one by one."""
    kept = [basket for basket in baskets if len(basket) <= max_items]
    n = {i: sum(i in b for b in kept) for b in kept for i in b}
    top = sorted(sorted(n, key=lambda i: (-n[i], i))[:most])
    found = {}
    for i, j in combinations_with_replacement(top, 2):
        weights = [round(1024 / math.sqrt(len(b))) for b in kept if i in b and j in b]
        if weights:
            found[f"i{i}", f"i{j}"] = sum(weights)
    return found


@pytest.mark.parametrize(
    ("seed", "partitions", "wanted"), [(0, 1, 0), pytest.param(1, 5, 3, id="several-tasks")]
)
def test_every_pair_is_counted_however_rare(spark, tmp_path, seed, partitions, wanted):
    baskets = random_baskets(seed)
    io = mined(spark, tmp_path, baskets, f"mine.partitions={wanted}", partitions=partitions)
    assert gram(io) == looped(baskets, most=9)


def test_the_most_purchased_and_no_trade_orders(spark, tmp_path):
    baskets = [[0, 1], [0, 1], [2, 1], [2, 3], [4], [5, 6, 7, 8]]
    io = mined(spark, tmp_path, baskets, "ease.max_items=3", "mine.max_basket_items=3")
    assert gram(io) == looped(baskets, most=3, max_items=3)
    assert io.figures["copurchases"] == {"items": 3}


def test_nothing_is_counted_where_nothing_is_recommended(spark, tmp_path):
    io = mined(spark, tmp_path, [[0, 1]] * 3, "serve.recommendations=0")
    assert "copurchases" not in {name for name, *_ in io.steps}
