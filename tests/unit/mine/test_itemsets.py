from basketlens.mine.itemsets import with_flags


def test_flags(spark):
    sets = {
        (0,): 5,  # {0, 1} has the same count
        (1,): 6,
        (2,): 4,
        (3,): 2,  # alone
        (0, 1): 5,
        (0, 2): 3,
        (1, 2): 3,
        (0, 1, 2): 3,  # as often as {0, 2} and {1, 2}
    }
    df = spark.createDataFrame(
        [(list(items), count) for items, count in sets.items()], "items array<int>, count long"
    )
    found = {
        tuple(r["items"]): (r["count"], r["is_closed"], r["is_maximal"]) for r in with_flags(df).collect()
    }
    assert found == {
        (0,): (5, False, False),
        (1,): (6, True, False),
        (2,): (4, True, False),
        (3,): (2, True, True),
        (0, 1): (5, True, False),
        (0, 2): (3, False, False),
        (1, 2): (3, False, False),
        (0, 1, 2): (3, True, True),
    }
