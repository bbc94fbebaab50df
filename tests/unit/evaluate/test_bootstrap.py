import numpy as np
import pytest

from basketlens.evaluate.bootstrap import estimate


def test_the_interval_is_that_of_the_normal_distribution_for_many_queries():
    values = np.random.default_rng(0).random((2000, 1))
    found = estimate(values, np.ones((2000, 1)), resamples=2000, seed=1)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.value[0] == pytest.approx(values.mean())
    assert found.low[0] == pytest.approx(values.mean() - half, abs=half / 10)
    assert found.high[0] == pytest.approx(values.mean() + half, abs=half / 10)


def test_intervals_cover_the_truth():
    covered = 0
    for seed in range(200):
        hits = (np.random.default_rng(seed).random((300, 1)) < 0.2).astype(float)
        found = estimate(hits, np.ones((300, 1)), resamples=300, seed=seed)
        covered += found.low[0] <= 0.2 <= found.high[0]
    assert 0.90 <= covered / 200 <= 0.99


def test_a_paired_difference_is_sharper_than_two_intervals():
    draw = np.random.default_rng(0)
    easy = draw.random((1000, 1))
    better = easy + 0.01 + 0.01 * draw.standard_normal((1000, 1))
    ones = np.ones((1000, 1))
    apart = [estimate(values, ones, resamples=500, seed=0) for values in (easy, better)]
    paired = estimate(better - easy, ones, resamples=500, seed=0)
    assert apart[0].high[0] > apart[1].low[0]
    assert 0.008 < paired.low[0] < 0.01 < paired.high[0] < 0.012


def test_a_share_is_of_all_targets_and_not_of_queries():
    found, wanted = np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]])
    assert estimate(found, wanted, resamples=10, seed=0).value.tolist() == [0.25]


def test_a_class_without_queries_has_no_figure_and_a_rare_one_has():
    rare = np.zeros((20, 2))
    rare[0, 0] = 1
    found = estimate(rare.copy(), rare, resamples=200, seed=0)
    assert found.value[0] == found.low[0] == found.high[0] == 1
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


def test_figures_do_not_depend_on_what_else_is_asked():
    values = np.random.default_rng(0).random((50, 3))
    together = estimate(values, np.ones((50, 3)), resamples=100, seed=4)
    alone = estimate(values[:, [2]], np.ones((50, 1)), resamples=100, seed=4)
    assert together.low[2] == pytest.approx(alone.low[0], rel=1e-12)
