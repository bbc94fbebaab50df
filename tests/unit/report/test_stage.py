import re
from datetime import datetime

import pytest

from basketlens import schemas, settings_files
from basketlens.evaluate.rows import Row
from basketlens.evaluate.winners import winners
from basketlens.report import stage
from basketlens.report.worth import Worth, worth_of
from basketlens.serve import stage as serve
from basketlens.stage_io import Written

COUNTS = {("a",): 200, ("b",): 100, ("c",): 80, ("a", "b"): 50, ("a", "c"): 40}


PLAIN = {
    "level": "name", "antecedent": ["a"], "consequent": ["b"], "n_ab": 50, "n_a": 200, "n_b": 100, "n": 1000, "confidence": 0.25,
    "lift": 2.5, "lift_low": 2.0, "lift_high": 3.0, "q_value": 1e-9, "log10_q": -9.0, "is_redundant": False,
}  # fmt: skip
RULES = [
    PLAIN | {"extra_revenue": 7.0},
    PLAIN
    | {"antecedent": ["b"], "consequent": ["a"], "extra_revenue": 9.0},  # of the same items, and worth more
    PLAIN
    | {"antecedent": ["b", "c"], "consequent": ["a"], "n_ab": 40, "extra_revenue": 20.0, "q_value": 0.06},
    PLAIN
    | {"antecedent": ["b", "zz"], "consequent": ["c"], "n_ab": 30, "extra_revenue": 8.0},  # zz has no name
    PLAIN | {"antecedent": ["a", "c"], "consequent": ["b"], "extra_revenue": 99.0, "is_redundant": True},
    PLAIN | {"antecedent": ["c"], "consequent": ["d"], "level": "product", "extra_revenue": 99.0},
]


class MemoryIO:
    """A dict of tables in place of storage."""

    run_id, cores = "run-1", 2

    def __init__(self, tables):
        self.tables, self.figures, self.page = dict(tables), {}, ""

    def read(self, name):
        return self.tables[name]

    def has(self, name):
        return name in self.tables

    def write(self, name, df, *, doing, measures=None):
        self.tables[name] = df.localCheckpoint()
        return Written(0, {})

    def to_driver(self, df, *, limit, what, doing):
        frame = df.limit(limit + 1).toPandas()
        assert len(frame) <= limit, what
        return frame

    def note(self, **figures):
        self.figures.update(figures)

    def write_page(self, html):
        self.page = html
        return "somewhere/report.html"


@pytest.fixture(scope="module")
def done(rows):
    settings = settings_files.load_settings("base", ["report.top=1", "serve.companions=1"], {})
    names = {"a": "Ale", "b": "<b>read", "c": "Cheese", "d": "Dill"}
    vectors = {"a": [1.0, 0.0], "b": [0.6, 0.8], "c": [0.0, 1.0], "d": [0.8, 0.6]}
    io = MemoryIO({
        "itemsets": rows.itemsets(COUNTS, n=1000),
        "rules": rows.of(schemas.RULES, *RULES),
        "rule_drift": rows.of(schemas.RULE_DRIFT, {"level": "name", "status": "born"}, {"level": "product", "status": "died"}),
        "links": rows.links(("a", "b", 0.4, 0.4), ("d", "a", 0.5, 0.6)),
        "link_stats": rows.link_stats(dict.fromkeys(names, 1.5)),
        "items": rows.items(names),
        "products": rows.of(schemas.PRODUCTS, *({"product_id": i, "name_hash": i} for i in names)),
        "embeddings": rows.of(schemas.EMBEDDINGS, *({"name_hash": i, "embedding": v} for i, v in vectors.items())),
        "lines": rows.of(schemas.LINES, {"basket_id": "1", "source_rows": 1}),
        "rejects": rows.of(schemas.REJECTS, {"reasons": ["no_name"]}),
        "data_quality": rows.of(
            schemas.DATA_QUALITY,
            {"metric": "large_baskets", "measured_at": datetime(2025, 1, 1), "detail": "9 baskets have too much."},
            {"metric": "large_baskets", "measured_at": datetime(2025, 1, 2), "detail": "3 baskets have too much."},
            {"metric": "lines", "measured_at": datetime(2025, 1, 3), "detail": "Not about baskets."},
        ),
    })  # fmt: skip
    stage.run(io, settings)
    serve.run(io, settings)
    return io


def test_every_pair_that_is_frequent_or_linked_is_written(done):
    written = done.tables["associations"]
    assert written.columns == schemas.ASSOCIATIONS.names
    kinds = {row.item_id + row.neighbor_id: row.kind for row in written.collect()}
    assert kinds == {
        "ab": "complement",
        "ba": "basket_only",
        "ac": "basket_only",
        "ca": "basket_only",
        "da": "text_only",
    }


def test_the_page_says_what_the_last_mining_did_with_large_baskets(done):
    assert "<p>3 baskets have too much.</p>" in done.page
    assert "9 baskets" not in done.page
    assert "Not about baskets" not in done.page


def test_the_page_is_written_with_names_escaped(done):
    assert "&lt;b&gt;read" in done.page
    assert "<b>read" not in done.page


def test_the_page_shows_the_best_rules_that_are_findings(done):
    """Not what is redundant, likely luck or of another level; the two directions of a pair once."""
    table = re.search(r'<table id="best-rules">(.*?)</table>', done.page, re.DOTALL)[1]
    sides = re.findall(r'<th scope="row">(.*?)</th>', table)
    shown = [" ".join(re.sub("<[^>]*>", " ", side).split()) for side in sides]
    assert shown == ["&lt;b&gt;read then Ale", "&lt;b&gt;read and zz then Cheese"]
    assert "Left out are 1 of all 5 rules" in done.page
    assert "and 1 more that may be luck" in done.page
    assert "Against the earlier table of rules: 1 are new, 0 are gone, 0 have moved" in done.page


def test_the_summary_gets_the_strongest_pairs_and_the_place_of_the_page(done):
    attention = 2.718281828 ** (0.6 * 2**-0.5 - 1.5)  # b attends to a
    strength = (50 + 100 * attention) / 200
    assert done.figures["report"] == "somewhere/report.html"
    assert done.figures["top_associations"] == [
        ["<b>read", "Ale", 50, 0.5, 2.5, pytest.approx(strength, abs=1e-4)]
    ]


def test_every_item_gets_its_best_companion(done):
    found = {row.item_id: row.companion_id for row in done.tables["cross_sell"].collect()}
    assert found == {"a": "b", "b": "a", "c": "a", "d": "a"}


def test_associations_are_weighed_by_what_won_on_this_data(done, rows):
    def figure(method, task, metric, of_class, value):
        return {
            "method": method,
            "task": task,
            "metric": metric,
            "class": of_class,
            "seed": 0,
            "value": value,
        }

    evaluation = [
        figure("counts + attention", "pairs.validation", "recall@10", "all", 0.4),
        figure("confidence", "pairs.validation", "recall@10", "all", 0.3),
        figure("cosine", "pairs.validation", "recall@10", "all", 0.9),  # not among what associations can be
        figure("ease", "baskets.validation", "hr@10", "all", 0.2),
        figure("ease", "baskets.test", "hr@10", "all", 0.19),
        figure("counts + attention", "pairs", "prior", "chosen", 300.0),
        figure("counts + attention", "pairs", "discount", "chosen", 0.5),
        figure("none", "category", "label_in_name", "all", 0.0),  # of labels
    ]
    projections = [
        {"item_id": i, "query": [0.5, 0.0], "key": k, "bias": 0.1}
        for i, k in {"a": [1.0, 0.0], "b": [0.6, 0.8], "c": [0.0, 1.0], "d": [0.8, 0.6]}.items()
    ]
    io = MemoryIO(done.tables)
    io.tables["projections"] = rows.of(schemas.PROJECTIONS, *projections)
    io.tables["evaluation"] = rows.of(schemas.EVALUATION, *evaluation)
    stage.run(io, settings_files.load_settings("base", ["report.top=1"], {}))
    assert (io.figures["prior_baskets"], io.figures["popularity_discount"]) == (300.0, 0.5)
    [row] = io.tables["associations"].filter("item_id = 'a' and neighbor_id = 'c'").collect()
    attention = 2.718281828 ** (0.5 * 0.0 + 0.1 - 1.5)
    assert row.strength == pytest.approx((40 + 300 * attention) / (200 + 300))
    assert 'id="worth"' in io.page
    assert "trained on what was bought together" in io.page


def test_the_page_shows_what_methods_are_worth_where_that_was_measured(done):
    assert 'id="worth"' not in done.page  # nothing was measured


def test_methods_are_listed_by_what_they_are_worth_on_the_test_days():
    def row(method, task, metric, of_class, value, seed=0):
        return Row(method, task, metric, of_class, seed, value, None, None)

    rows = [
        row("ease", "baskets.validation", "hr@10", "all", 0.2),
        row("confidence", "pairs.validation", "recall@10", "all", 0.3),
        row("ease", "baskets.test", "hr@10", "all", 0.1),
        row("ease", "baskets.test", "hr@10", "all", 0.3, seed=1),
        row("ease", "baskets.test", "hr@10", "warm", 0.9),
        row("confidence", "baskets.test", "hr@10", "all", 0.25),
        row("confidence", "pairs.test", "cold_in@50", "cold", 0.04),
        row("ease minus confidence", "baskets.test", "hr@10", "all", 0.9),
    ]

    found = worth_of(rows, winners(rows))

    assert found == (
        Worth("confidence", [0.25, None, None, None, 0.04], ["associations"]),
        Worth("ease", [pytest.approx(0.2), None, None, None, None], ["recommendations"]),
    )
