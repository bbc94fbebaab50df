import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from basketlens.report.page import (
    UNKNOWN,
    PageData,
    Reason,
    RuleCounts,
    example,
    money,
    percent,
    render,
    scatter,
    share,
    times,
    tiny,
)
from tests.unit.report.conftest import FIGURES, FINDING, PAGE, RULE

HOSTILE = "<script>alert(1)</script> & \"double\" 'single' </title></svg>"


class Reader(HTMLParser):
    """Tags, attributes and text of a page, as a browser would see them."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


def text_of(page: PageData) -> str:
    return re.sub(r"\s+", " ", Reader(render(page)).text)


def test_hostile_names_stay_text_everywhere():
    pair = replace(FINDING, item=HOSTILE, neighbor=HOSTILE, kind="complement")
    hostile = replace(
        PAGE, run_id=HOSTILE, level=HOSTILE, reasons=(Reason(HOSTILE, 3),),
        top=(pair,), substitutes=(pair,), newcomers=(pair,), plotted=(pair,),
        rules=(replace(RULE, antecedent=(HOSTILE, HOSTILE), consequent=(HOSTILE,)),),
    )  # fmt: skip
    seen, plain = Reader(render(hostile)), Reader(render(replace(hostile, **{k: getattr(PAGE, k) for k in ("run_id", "level")}, top=(FINDING,), substitutes=(FINDING,), newcomers=(FINDING,), plotted=(FINDING,), reasons=(Reason("plain", 3),), rules=(RULE,))))  # fmt: skip
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(attrs) for _, attrs in seen.tags] == [sorted(attrs) for _, attrs in plain.tags]
    assert seen.text.count(HOSTILE) >= 13


def test_nothing_is_fetched_from_elsewhere():
    seen = Reader(render(PAGE))
    places = [
        value for _, attrs in seen.tags for name, value in attrs.items() if name in ("src", "href", "action")
    ]
    assert places
    assert all(place.startswith("#") or place == "data:," for place in places)
    assert "url(" not in render(PAGE)
    assert "@import" not in render(PAGE)


def test_every_link_inside_the_page_arrives():
    seen = Reader(render(replace(PAGE, substitutes=(FINDING,), newcomers=(FINDING,))))
    ids = {attrs["id"] for _, attrs in seen.tags if "id" in attrs}
    assert {attrs["href"][1:] for _, attrs in seen.tags if (attrs.get("href") or "").startswith("#")} <= ids


def test_tags_are_balanced():
    assert Reader(render(PAGE)).open == []


def test_the_same_data_gives_the_same_page():
    assert render(PAGE) == render(replace(PAGE))


def test_the_example_spells_out_a_real_pair():
    assert (
        "Of 1,234 baskets with tea, 321 also had milk: 26%. milk is in 5.0% of all baskets, so that is 5.2 times chance."
        " Of the attention of the first name, the second gets 1.03 times an even share among 29 items."
    ) in text_of(PAGE)


def test_the_example_prefers_a_pair_on_which_counts_and_names_agree():
    other = replace(FINDING, kind="basket_only")
    assert example([other, FINDING]) is FINDING
    assert example([other]) is other
    assert example([FINDING, replace(FINDING, n_ab=500)]).n_ab == 500
    assert example([replace(FINDING, n_ab=None)]) is None


def test_figures_and_quality_are_shown():
    page = replace(PAGE, reasons=(Reason("no_name", 40), Reason("not_sold", 10)))
    shown = text_of(page)
    for part in ("Source rows 1,000", "Rejected rows 50 5.0% of source rows", "01 Jan 2017", "no name 40 4.0%",
                 "Lines with a known customer 50%", "4 of 40 (10%)"):  # fmt: skip
        assert re.sub(r"\s", "", part) in re.sub(r"\s", "", shown), part


def test_rules_are_shown_with_what_speaks_for_them():
    shown = text_of(PAGE)
    assert "bread and tea then jam40of 16025%5.03.1 to 8.16e-1335not seen again1,234" in shown.replace(
        "\n", ""
    )
    assert (
        "Left out are 4 of all 12 rules, because a shorter rule says as much, and 1 more that may be luck"
        in shown
    )
    assert "1 are new, 2 are gone, 3 have moved by more than chance explains, 1,234 are as they were" in shown
    assert "corrected for every rule that could have been found" in shown


def test_what_no_rule_has_is_no_column():
    bare = replace(RULE, customers=None, extra_revenue=None)
    shown = text_of(replace(PAGE, rules=(bare,), rule_counts=RuleCounts(12, 4, 1, 0, 0, 0, 0, 0)))
    for gone in ("Customers", "Held out", "Extra revenue", "Against the earlier table"):
        assert gone not in shown
    assert "First the rules that are surest" in shown
    none = text_of(replace(PAGE, rules=(), rule_counts=RuleCounts(12, 8, 4, 0, 0, 0, 0, 0)))
    assert (
        "None of the 12 rules at this level is shown: 8 say no more than a shorter rule, and 4 may be luck"
        in none
    )


def test_an_empty_run_still_gives_a_page():
    empty = replace(
        FIGURES, lines=0, kept_rows=0, lines_with_customer=0, first_sale=None, last_sale=None, rejected=None, products=0,
        products_without_category=0, items=0, items_sold=0, baskets=None, itemsets=0, largest_itemset=None, rules=0,
        links=0, linked_items=0,
    )  # fmt: skip
    shown = text_of(
        replace(PAGE, figures=empty, top=(), plotted=(), rules=(), rule_counts=RuleCounts(*[0] * 8))
    )
    assert "No pair was bought together often enough" in shown
    assert "Period of salesnot known" in shown
    assert "None: no pair reached the mining threshold" in shown
    assert "None: no rule at this level" in shown


def test_what_is_not_known_is_a_dash_and_sorts_as_unknown():
    page = render(replace(PAGE, top=(replace(FINDING, score=None, multiple=None),)))
    assert page.count(f'data-value="">{UNKNOWN}</td>') == 2


def test_a_full_page_stays_small():
    long = replace(
        FINDING,
        item="an item with quite a long name, category, department, private brand, 12 OZ",
        neighbor="x" * 80,
    )
    full = replace(
        PAGE, top=(long,) * 50, substitutes=(long,) * 15, newcomers=(long,) * 15, plotted=(long,) * 2000
    )
    assert len(render(full).encode()) < 1_500_000


def test_the_plot_places_chance_and_even_and_counts_kinds():
    pairs = [replace(FINDING, multiple=m, lift=up, kind=k) for m, up, k in [(1.0, 1.0, "complement"), (1.2, 9.0, "basket_only"), (1.1, 0.5, "basket_only")]]  # fmt: skip
    drawn = scatter([*pairs, replace(FINDING, lift=None), replace(FINDING, multiple=None)])
    assert drawn["counts"] == {"complement": 1, "basket_only": 2}
    at = {p["finding"].kind: (p["x"], p["y"]) for p in drawn["points"]}
    assert at["complement"] == (drawn["even"], drawn["chance"])
    assert [p["finding"].kind for p in drawn["points"]][-1] == "complement"


def test_no_plot_without_pairs_that_have_both_kinds_of_evidence():
    assert scatter([replace(FINDING, lift=None)]) is None


@pytest.mark.parametrize(("share", "text"), [
    (None, UNKNOWN), (0.0, "0%"), (0.00001, "<0.01%"), (0.0026, "0.26%"), (0.026, "2.6%"), (0.26, "26%"), (0.9999, "99.99%"),
    (0.999999, "99.99%"), (1.0, "100%"),
])  # fmt: skip
def test_percent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("factor", "text"), [(None, UNKNOWN), (0.04, "0.04"), (5.14, "5.1"), (1234.5, "1,234")]
)
def test_times(factor, text):
    assert times(factor) == text


@pytest.mark.parametrize(("log10", "text"), [
    (None, UNKNOWN), (-1e6, "<1e-300"), (-300.0, "1e-300"), (-12.01, "1e-12"), (-4.02, "1e-4"), (-1.92, "0.012"), (0.0, "1.000"),
])  # fmt: skip
def test_tiny(log10, text):
    assert tiny(log10) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(None, UNKNOWN), (1234.5, "1,234"), (5.6, "5.60"), (-12.0, "\N{MINUS SIGN}12.00")]
)
def test_money(amount, text):
    assert money(amount) == text


@pytest.mark.parametrize(
    ("part", "whole", "wanted"), [(1, 4, 0.25), (None, 4, None), (1, None, None), (0, 0, None)]
)
def test_share(part, whole, wanted):
    assert share(part, whole) == wanted
