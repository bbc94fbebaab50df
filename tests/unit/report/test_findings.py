import pandas as pd
import pytest

from basketlens import schemas
from basketlens.report import findings


def pair(item, neighbor, **given):
    known = {
        "item_name": item.upper(),
        "neighbor_name": neighbor.upper(),
        "n": 1000,
        "attention": 0.5,
        "kind": "basket_only",
    }
    return {"item_id": item, "neighbor_id": neighbor, "strength": 0.1, "rank": 1, **known, **given}


def counted(item, neighbor, **given):
    return pair(
        item,
        neighbor,
        **{"n_ab": 10, "n_a": 100, "n_b": 100, "confidence": 0.1, "lift": 1.0, "score": 0.1, **given},
    )


def ids(frame):
    return [row.item_id + row.neighbor_id for row in frame.collect()]


def test_a_pair_is_shown_once_in_its_stronger_direction(rows):
    frame = rows.of(
        schemas.ASSOCIATIONS, counted("a", "b", strength=0.2), counted("b", "a", strength=0.3),
        counted("c", "d"), counted("d", "c"), pair("e", "f", kind="text_only"),
    )  # fmt: skip
    once = findings.one_direction(findings.counted(frame), discount=0.0)
    assert sorted(ids(once)) == ["ba", "cd"]


def test_top_is_ordered_bounded_and_total(rows):
    frame = rows.of(
        schemas.ASSOCIATIONS,
        counted("c", "d"),
        counted("a", "z"),
        counted("a", "b"),
        counted("x", "y", strength=0.9),
    )
    assert ids(findings.top(frame, discount=0.25, rows=3)) == ["xy", "ab", "az"]


def test_substitutes_come_by_baskets_missing_against_chance(rows):
    apart = {"kind": "substitute", "n_a": 500, "n_b": 500}  # chance: 250 baskets together
    frame = rows.of(
        schemas.ASSOCIATIONS, counted("a", "b", **apart, n_ab=200), counted("c", "d", **apart, n_ab=20),
        counted("e", "f", n_a=500, n_b=500, n_ab=1),
    )  # fmt: skip
    assert ids(findings.substitutes(frame, rows=5)) == ["cd", "ab"]


def test_newcomers_are_uncounted_items_with_their_nearest_name(rows):
    alone = {"kind": "text_only"}
    frame = rows.of(
        schemas.ASSOCIATIONS,
        pair("new", "old", **alone, n_b=300, attention=0.3),
        pair("new", "other", **alone, rank=2, attention=0.2),
        pair("old", "new", **alone, n_a=300, attention=0.9),
        pair("p", "q", **alone, attention=0.5),
        pair("q", "p", **alone, attention=0.4),
    )
    assert ids(findings.newcomers(frame, discount=0.25, rows=5)) == ["pq", "newold"]


def test_kinds_take_turns_in_the_plot(rows):
    many = [counted("a", f"b{at}", n_ab=100 + at) for at in range(4)]
    few = [counted("c", "d", kind="complement", n_ab=5), counted("e", "f", attention=None, n_ab=999)]
    assert ids(findings.plotted(rows.of(schemas.ASSOCIATIONS, *many, *few), rows=3)) == ["ab3", "cd", "ab2"]


def test_nulls_become_none_and_attention_a_multiple_of_even():
    columns = [
        "item_name",
        "neighbor_name",
        "n_ab",
        "n_a",
        "n_b",
        "n",
        "confidence",
        "lift",
        "score",
        "attention",
        "strength",
        "kind",
    ]
    frame = pd.DataFrame(
        [("A", "B", 5.0, 10.0, 20.0, 100, 0.5, 2.5, 0.1, 0.25, 0.4, "complement"), ("A", "C", None, 10.0, None, 100, None, None, None, None, 0.0, "text_only")],
        columns=columns,
    )  # fmt: skip
    known, unknown = findings.as_findings(frame, even=0.125)
    assert (known.n_ab, known.n_b, known.multiple) == (5, 20, pytest.approx(2.0))
    assert (unknown.n_ab, unknown.n_b, unknown.confidence, unknown.multiple) == (None, None, None, None)
