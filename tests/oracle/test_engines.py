"""Both engines of mining against each other and against a count of every subset of every basket."""

import random
from collections import Counter
from itertools import combinations

import pytest

from basketlens.mine.levels import mine_level
from basketlens.mine.limits import Level
from tests.unit.mine.local_io import LocalIO, settings_in

TYPE = "basket long, basket_id string, n_lines long, product array<string>"


def drawn(seed, *, baskets, items, largest):
    draw = random.Random(seed)
    liked = [chr(ord("a") + i) for i in range(items)]
    return [
        "".join({draw.choice(liked[: draw.choice((5, items))]) for _ in range(draw.randint(0, largest))})
        for _ in range(baskets)
    ]


CASES = [
    pytest.param(drawn(1, baskets=80, items=12, largest=9), 4, 12, id="random"),
    pytest.param(drawn(2, baskets=80, items=12, largest=9), 3, 4, id="random-up-to-4"),
    pytest.param(["abcdefgh"] * 3, 3, 8, id="one-basket-three-times"),
    pytest.param(["abcdefgh"] * 3, 3, 3, id="nothing-beyond-triples"),
    pytest.param(["abcdefgh"] * 3, 4, 8, id="fewer-baskets-than-the-count"),
    pytest.param(["abc", "abd", "acd", "bcd"], 2, 4, id="every-pair-frequent-and-no-triple"),
    pytest.param(["ab", "ab", "cd", "cd", "", "e"], 2, 4, id="pairs-alone"),
    pytest.param(["abc", "abc", "ab", "xyz", "xyz"], 2, 2, id="no-third-item-wanted"),
]


def mined(spark, folder, baskets, engine, *, min_count, max_size):
    settings = settings_in(
        folder, "mine.levels=['product']", f"mine.engine={engine}", f"mine.max_size={max_size}",
        f"mine.min_count={min_count}",
    )  # fmt: skip
    rows = [(i, f"b{i}", len(basket), list(basket)) for i, basket in enumerate(baskets)]
    io = LocalIO(spark, settings, {"baskets": spark.createDataFrame(rows, TYPE)})
    sets, _ = mine_level(Level(io, settings.mine, "product", min_count))
    names = {row["code"]: row["item_id"] for row in io.read("frequent_product").collect()}
    found = [("".join(sorted(names[code] for code in row["items"])), row["count"]) for row in sets.collect()]
    assert len(dict(found)) == len(found), "an itemset was found twice"
    return dict(found)


@pytest.mark.parametrize(("baskets", "min_count", "max_size"), CASES)
def test_both_engines_find_every_frequent_set(spark, tmp_path, baskets, min_count, max_size):
    counted = Counter(
        "".join(part)
        for basket in baskets
        for size in range(1, max_size + 1)
        for part in combinations(sorted(basket), size)
    )
    wanted = {items: count for items, count in counted.items() if count >= min_count}
    for engine in ("mllib", "bitmap"):
        found = mined(spark, tmp_path / engine, baskets, engine, min_count=min_count, max_size=max_size)
        assert found == wanted, engine


def test_many_shards_give_the_same(spark, tmp_path, monkeypatch):
    """Real shards need millions of items; here every item has its own."""
    monkeypatch.setattr("basketlens.mine.levels.shards_for", lambda *_, n_items, **__: n_items)
    monkeypatch.setattr("basketlens.mine.guard.shards_for", lambda *_, n_items, **__: n_items)
    baskets = drawn(3, baskets=60, items=9, largest=8)
    one = mined(spark, tmp_path / "a", baskets, "mllib", min_count=3, max_size=9)
    assert mined(spark, tmp_path / "b", baskets, "bitmap", min_count=3, max_size=9) == one
    assert max(map(len, one)) >= 4
