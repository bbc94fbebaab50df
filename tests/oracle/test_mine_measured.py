"""Customers, money, holdout, strata and the privacy floor of the whole stage, against loops over the receipts."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest

from basketlens.mine import stage
from tests.unit.mine.local_io import LocalIO, settings_in

KINDS = (
    "basket_id string, product_id string, customer_key string, store_id string, sold_at timestamp, "
    "amount decimal(18,4), promotion string"
)
MIN_COUNT, MAX_SIZE = 4, 4
START = datetime(2025, 1, 6, 9)  # a Monday


def receipts(seed, *, baskets=150):
    """Lines in which customers come back, some baskets lack a customer, store or time, and lines repeat."""
    draw = random.Random(seed)
    lines = []
    for number in range(baskets):
        customer = draw.choice([None, *(f"k{i}" for i in range(12))])
        store = draw.choice([None, "s1", "s2", "s3"])
        at = draw.choice([None, *(START + timedelta(days=draw.randrange(28)) for _ in range(9))])
        liked = draw.choice([0, 3, 6])
        for _ in range(draw.randint(1, 9)):
            item = liked + draw.randrange(4) if draw.random() < 0.7 else draw.randrange(11)
            paid = draw.choice([None, Decimal(draw.randrange(1, 10**6)) / 10**4])
            code = draw.choice([None, None, "x", "y"]) if at and at.day % 4 == 0 else None
            lines.append((f"b{number}", f"p{item}", customer, store, at, paid, code))
    return lines


class Basket:
    def __init__(self, lines):
        self.items = {line[1] for line in lines}
        (self.customer,), (self.store,), (self.at,) = ({line[i] for line in lines} for i in (2, 3, 4))
        self.lines = lines

    def paid(self, items=None):
        return sum((line[5] or 0) for line in self.lines if items is None or line[1] in items)


def baskets_of(lines, share):
    """Mined and held-out baskets: the last days with at most `share` of the lines that have a time."""
    grouped = defaultdict(list)
    for line in lines:
        grouped[line[0]].append(line)
    baskets = [Basket(rows) for rows in grouped.values()]
    days = sorted(line[4].date() for line in lines if line[4])
    late = [
        day for day in set(days) if sum(other >= day for other in days) <= Fraction(str(share)) * len(days)
    ]
    held = [b for b in baskets if b.at and late and b.at.date() >= min(late)] if share else []
    return [b for b in baskets if b not in held], held


def behind(baskets, items):
    return [basket for basket in baskets if basket.items >= set(items)]


def customers(baskets):
    return len({basket.customer for basket in baskets} - {None})


def stratum_of(lines, kind):
    promoted = defaultdict(set)
    for line in lines:
        if line[4] and line[6]:
            promoted[line[4].date()].add(line[6])
    return {
        "store": lambda b: b.store,
        "week": lambda b: b.at and b.at.isocalendar()[:2],
        "promotion": lambda b: frozenset(promoted[b.at.date()]) if b.at else frozenset(),
    }[kind]


def is_publishable(baskets, items, floor):
    """Enough customers, and in every gap between two sets inside it either nobody or enough."""
    if customers(behind(baskets, items)) < floor:
        return False
    subsets = [s for size in range(1, len(items) + 1) for s in combinations(items, size)]
    for whole in subsets:
        for part in subsets:
            if set(part) < set(whole):
                gap = [b for b in behind(baskets, part) if not b.items >= set(whole)]
                if gap and customers(gap) < floor:
                    return False
    return True


def close(value):
    return pytest.approx(float(value), rel=1e-12, abs=1e-9)


def check(lines, io, *, floor, share, stratify):
    mined, held = baskets_of(lines, share)
    n = len(mined)
    items = sorted({item for b in mined for item in b.items})
    frequent = {
        s: behind(mined, s)
        for size in range(1, MAX_SIZE + 1)
        for s in combinations(items, size)
        if len(behind(mined, s)) >= MIN_COUNT
    }
    published = {s for s in frequent if is_publishable(mined, s, floor)}
    rows = {tuple(row["items"]): row for row in io.read("itemsets").collect()}
    assert set(rows) == published
    assert io.figures["withheld"]["itemsets"] == len(frequent) - len(published)
    for s, row in rows.items():
        of = frequent[s]
        larger = [len(frequent[other]) for other in published if set(other) > set(s)]
        assert (row["count"], row["customers"], row["support"]) == (len(of), customers(of), len(of) / n), s
        assert row["basket_revenue"] == close(sum(b.paid() for b in of)), s
        assert row["item_revenue"] == close(sum(b.paid(s) for b in of)), s
        assert row["is_maximal"] == (not larger), s
        assert row["is_closed"] == all(count < len(of) for count in larger), s
    rules = {(tuple(r["antecedent"]), tuple(r["consequent"])): r for r in io.read("rules").collect()}
    splits = {
        (a, tuple(x for x in s if x not in a))
        for s in published
        for size in range(1, len(s))
        for a in combinations(s, size)
    }
    assert set(rules) == splits
    stratum = stratum_of(lines, stratify) if stratify else None
    strata = {stratum(b) for b in mined} if stratify else set()
    for (a, b), row in rules.items():
        ab = tuple(sorted(a + b))
        n_a, n_b, n_ab = (len(frequent[s]) for s in (a, b, ab))
        gap = [basket for basket in frequent[a] if not basket.items >= set(b)]
        assert not gap or customers(gap) >= floor
        assert row["customers"] == customers(frequent[ab])
        price = sum(basket.paid(b) for basket in frequent[b]) / n_b
        assert row["extra_revenue"] == close((n_ab - Fraction(n_a * n_b, n)) * Fraction(price)), (a, b)
        late = {s: len(behind(held, s)) for s in (a, b, ab)}
        if late[a] and late[b]:
            lift = Fraction(late[ab] * len(held), late[a] * late[b])
            assert row["holdout_lift"] == close(lift)
            assert row["shrinkage"] == close(lift / Fraction(n_ab * n, n_a * n_b))
        else:
            assert row["holdout_lift"] is row["shrinkage"] is None
        expected = Fraction(0)
        for value in strata:
            inside = [basket for basket in mined if stratum(basket) == value]
            expected += Fraction(len(behind(inside, a)) * len(behind(inside, b)), len(inside))
        assert row["stratified_lift"] == (close(n_ab / expected) if stratify else None), (a, b)


def mine(spark, folder, lines, *, partitions, floor, share, stratify):
    settings = settings_in(
        folder,
        "mine.levels=['product']",
        f"mine.min_count={MIN_COUNT}",
        f"mine.max_size={MAX_SIZE}",
        "mine.min_confidence=0.0",
        "mine.max_consequent=11",
        f"mine.partitions={partitions}",
        f"mine.holdout={share}",
        f"mine.stratify='{stratify}'",
        f"privacy.min_customers={floor}",
    )
    io = LocalIO(spark, settings, {"lines": spark.createDataFrame(lines, KINDS).repartition(partitions + 1)})
    stage.run(io, settings)
    return io


@pytest.mark.parametrize(
    ("seed", "chosen"),
    [
        pytest.param(1, {"partitions": 1, "floor": 0, "share": 0.0, "stratify": ""}, id="plain"),
        pytest.param(
            2, {"partitions": 3, "floor": 4, "share": 0.3, "stratify": "store"}, id="floor-store-holdout"
        ),
        pytest.param(
            3, {"partitions": 2, "floor": 5, "share": 0.2, "stratify": "week"}, id="floor-week-holdout"
        ),
        pytest.param(
            4, {"partitions": 5, "floor": 3, "share": 0.0, "stratify": "promotion"}, id="floor-promotion"
        ),
    ],
)
def test_what_is_measured_again_agrees_with_loops(spark, tmp_path, seed, chosen):
    lines = receipts(seed)
    io = mine(spark, tmp_path, lines, **chosen)
    check(lines, io, floor=chosen["floor"], share=chosen["share"], stratify=chosen["stratify"])
    figures = io.figures
    assert figures["min_customers"] == chosen["floor"]
    assert (figures.get("held_out_baskets", 0) > 0) == (chosen["share"] > 0)
    assert (figures["withheld"]["itemsets"] > 0) == (chosen["floor"] > 0), "the draw tests no floor"
