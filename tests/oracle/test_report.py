"""`associations` and `cross_sell` against plain Python over random small tables."""

import math
import random
from itertools import combinations

import pytest

from basketlens import schemas
from basketlens.report import evidence
from basketlens.serve.cross_sell import cross_sell

PRIOR, DISCOUNT, SCALE, TOP_K, MIN_COUNT = 5.0, 0.4, 1.5, 2, 3


class World:
    """Random baskets and vectors, and the tables that mining and linking would make of them."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.names = [f"i{at}" for at in range(9)]
        self.baskets = [
            {i for i in self.names[:-1] if draw.random() < 0.35} for _ in range(draw.randint(20, 40))
        ]
        self.vectors = {i: [draw.uniform(-1, 1) for _ in range(3)] for i in self.names}
        self.n = len(self.baskets)

    def count(self, *items):
        return sum(all(i in basket for i in items) for basket in self.baskets)

    def itemsets(self):
        found = [s for size in (1, 2) for s in combinations(self.names, size) if self.count(*s) >= MIN_COUNT]
        return [
            ("name", list(s), len(s), self.count(*s), self.count(*s) / self.n, *[None] * 5) for s in found
        ]

    def score(self, i, j):
        return SCALE * sum(x * y for x, y in zip(self.vectors[i], self.vectors[j], strict=True))

    def log_sum_exp(self, i):
        return math.log(sum(math.exp(self.score(i, j)) for j in self.names if j != i))

    def attention(self, i, j):
        return math.exp(self.score(i, j) - self.log_sum_exp(i))

    def linked(self, i):
        return sorted((j for j in self.names if j != i), key=lambda j: -self.score(i, j))[:TOP_K]

    def links(self):
        return [
            (i, j, at, self.score(i, j), self.attention(i, j))
            for i in self.names
            for at, j in enumerate(self.linked(i))
        ]


def expected(world):
    """(item, neighbour) -> (n_ab, n_a, n_b, lift, attention, strength, kind), and item -> neighbours in order."""

    def known(*items):
        return world.count(*items) if world.count(*items) >= MIN_COUNT else None

    pairs, order = {}, {}
    for i in world.names:
        placed = []
        for j in world.names:
            is_linked = j in world.linked(i)
            n_ab = known(i, j)
            if i == j or (n_ab is None and not is_linked):
                continue
            n_a, n_b, attention = known(i), known(j), world.attention(i, j)
            strength = attention if n_a is None else ((n_ab or 0) + PRIOR * attention) / (n_a + PRIOR)
            lift, kind = None, "text_only"
            worth = attention
            if n_ab is not None:
                lift = (n_ab / n_a) / (n_b / world.n)
                kind = (
                    "basket_only"
                    if not is_linked
                    else "complement"
                    if n_ab * world.n >= n_a * n_b
                    else "substitute"
                )
                worth = strength / (n_b / world.n) ** DISCOUNT
            pairs[i, j] = (n_ab, n_a, n_b, lift, attention, strength, kind)
            placed.append((n_ab is None, -round(worth, 12), j))
        order[i] = [j for _, _, j in sorted(placed)]
    return pairs, order


@pytest.mark.parametrize("seed", range(3))
def test_associations_and_cross_sell_agree_with_plain_python(spark, seed):
    world = World(seed)
    found = evidence.associate(
        spark.createDataFrame(world.itemsets(), schemas.ITEMSETS).repartition(3),
        spark.createDataFrame(world.links(), schemas.LINKS).repartition(3),
        spark.createDataFrame([(i, world.log_sum_exp(i), 0.0, 0.0) for i in world.names], schemas.LINK_STATS),
        spark.createDataFrame([(i, "name", i.upper(), None, None, 1) for i in world.names], schemas.ITEMS),
        spark.createDataFrame(list(world.vectors.items()), "item_id string, embedding array<float>"),
        level="name",
        scale=SCALE,
        prior=PRIOR,
        discount=DISCOUNT,
    ).localCheckpoint()
    pairs, order = expected(world)

    rows = {(r.item_id, r.neighbor_id): r for r in found.collect()}
    assert set(rows) == set(pairs)
    for pair, (n_ab, n_a, n_b, lift, attention, strength, kind) in pairs.items():
        row = rows[pair]
        assert (row.n_ab, row.n_a, row.n_b, row.n, row.kind) == (n_ab, n_a, n_b, world.n, kind), pair
        assert row.lift == (None if lift is None else pytest.approx(lift))
        assert row.score == pytest.approx(world.score(*pair), abs=1e-6)
        assert row.attention == pytest.approx(attention, rel=1e-5)
        assert row.strength == pytest.approx(strength, rel=1e-5)
    for item, neighbors in order.items():
        assert [j for _, j in sorted((rows[item, j]["rank"], j) for j in neighbors)] == neighbors

    served = {}
    for row in cross_sell(found, companions=2).orderBy("item_id", "rank").collect():
        served.setdefault(row.item_id, []).append((row["rank"], row.companion_id))
    offered = {
        i: [j for j in neighbors if pairs[i, j][-1] != "substitute"][:2] for i, neighbors in order.items()
    }
    assert served == {i: list(enumerate(neighbors, 1)) for i, neighbors in offered.items() if neighbors}
