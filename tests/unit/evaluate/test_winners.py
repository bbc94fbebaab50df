import math

import pytest

from basketlens.evaluate.rows import Row
from basketlens.evaluate.winners import Blend, Strength, blend_of, strength_of, winners


def figure(method, task, value, *, seed=0, metric=None, of_class="all"):
    metric = metric or {"baskets": "hr@10", "pairs": "recall@10"}[task.split(".")[0]]
    return Row(method, task, metric, of_class, seed, value, None, None)


def chosen(method, task, seed=0, **parameters):
    return [Row(method, task, name, "chosen", seed, value, None, None) for name, value in parameters.items()]


ROWS = [
    figure("confidence", "pairs.validation", 0.2),
    figure("counts + attention", "pairs.validation", 0.3),
    figure("counts + popularity", "pairs.validation", 0.4),
    *chosen("counts + attention", "pairs", prior=1500.0, discount=0.25),
    figure("ease", "baskets.validation", 0.15),
    figure("ease + attention", "baskets.validation", 0.16),
    *chosen("ease", "baskets", ridge=50.0),
    *chosen("ease + attention", "baskets", ridge=50.0, attention=3.0),
]


def test_the_best_on_validation_wins_whatever_the_test_says():
    found = winners([*ROWS, figure("ease", "baskets.test", 0.9), figure("confidence", "pairs.test", 0.9)])
    assert found["baskets"].usable == "ease + attention"
    assert found["pairs"].usable == "counts + attention"


def test_a_method_that_cannot_be_served_is_named_but_not_used():
    found = winners(ROWS)["pairs"]
    assert (found.best, found.usable, found.value) == ("counts + popularity", "counts + attention", 0.3)


def test_only_the_main_figure_over_all_targets_decides():
    rows = [
        *ROWS,
        figure("confidence", "pairs.validation", 0.9, of_class="warm"),
        figure("confidence", "pairs.validation", 0.9, metric="recall@50"),
    ]
    assert winners(rows)["pairs"].usable == "counts + attention"


def test_seeds_are_averaged_and_their_parameters_put_in_the_middle():
    rows = []
    for seed, (prior, value) in enumerate([(300.0, 0.1), (1500.0, 0.6), (1500.0, 0.2)]):
        rows += [figure("counts + attention", "pairs.validation", value, seed=seed)]
        rows += [figure("confidence", "pairs.validation", 0.29, seed=seed)]
        rows += chosen("counts + attention", "pairs", seed, prior=prior, discount=0.1)
    found = winners([*rows, figure("ease", "baskets.validation", 0.15)])["pairs"]
    assert (found.usable, found.parameters["prior"]) == ("counts + attention", 1500.0)
    assert found.value == pytest.approx(0.3)


def test_ties_go_to_the_first_name():
    found = winners([row._replace(value=0.3) for row in reversed(ROWS)])
    assert (found["pairs"].usable, found["baskets"].usable) == ("confidence", "ease")


@pytest.mark.parametrize(
    ("method", "parameters", "strength"),
    [
        pytest.param("confidence", {}, Strength(0.0, 0.0), id="counts-alone"),
        pytest.param(
            "counts / popularity", {"row_power": 1.0, "discount": 0.3}, Strength(0.0, 0.3), id="power"
        ),
        pytest.param(
            "attention", {"prior": math.inf, "discount": 0.1}, Strength(math.inf, 0.1), id="attention"
        ),
        pytest.param(
            "counts + attention", {"prior": 1500.0, "discount": 0.25}, Strength(1500.0, 0.25), id="both"
        ),
    ],
)
def test_strength(method, parameters, strength):
    rows = [r for r in ROWS if r.task.startswith("baskets")]
    rows += [figure(method, "pairs.validation", 0.3), *chosen(method, "pairs", **parameters)]
    assert strength_of(winners(rows)["pairs"]) == strength


OF_HISTORY = {"history": 1.0, "half_life_weeks": 10.0, "history_shrink": 8.0}


@pytest.mark.parametrize(
    ("method", "parameters", "blend"),
    [
        pytest.param("basket attention", {}, Blend(0, 0, 1, 0, math.inf, 0), id="attention"),
        pytest.param("ease", {"ridge": 50.0}, Blend(1, 50, 0, 0, math.inf, 0), id="ease"),
        pytest.param("history", {"half_life_weeks": 10.0}, Blend(0, 0, 0, 1, 10, 0), id="history"),
        pytest.param(
            "ease + attention + history",
            {"ridge": 50.0, "attention": 3.0, **OF_HISTORY},
            Blend(1, 50, 3, 1, 10, 8),
            id="all",
        ),
    ],
)
def test_blend(method, parameters, blend):
    rows = [r for r in ROWS if r.task.startswith("pairs")]
    rows += [figure(method, "baskets.validation", 0.3), *chosen(method, "baskets", **parameters)]
    assert blend_of(winners(rows)["baskets"]) == blend


def test_without_figures_there_is_no_winner():
    with pytest.raises(ValueError, match=r"no figures of pairs\.validation"):
        winners([figure("ease", "baskets.test", 0.3)])
