"""The hypergeometric core against whole numbers, scipy, and mpmath where doubles end."""

import math
import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy.stats import hypergeom

from basketlens.fisher import cells_of, ln_pmf, log10_p, quantile_99, tails

TOLERANCE = 1e-9  # relative, of a probability


def columns(tables):
    return (np.array(column, np.int64) for column in zip(*tables, strict=True))


def every_table(n):
    return [
        (n_ab, n_a, n_b, n)
        for n_a in range(n + 1)
        for n_b in range(n + 1)
        for n_ab in range(max(0, n_a + n_b - n), min(n_a, n_b) + 1)
    ]


def exact_tails(n_ab, n_a, n_b, n):
    """P(X >= n_ab) and P(X < n_ab) as fractions of whole numbers."""
    ways = [math.comb(n_b, x) * math.comb(n - n_b, n_a - x) if x <= n_a else 0 for x in range(n_b + 1)]
    total = math.comb(n, n_a)
    return Fraction(sum(ways[n_ab:]), total), Fraction(sum(ways[:n_ab]), total)


def ln(fraction):
    """Of a fraction, also of one that no double can hold."""
    return float(mpmath.log(fraction.numerator) - mpmath.log(fraction.denominator)) if fraction else -math.inf


def drawn_tables(seed, *, tables, largest):
    draw = random.Random(seed)
    found = []
    for _ in range(tables):
        n = draw.randint(2, largest)
        n_a, n_b = (draw.randint(1, n) if draw.random() < 0.5 else draw.randint(1, 1 + n // 10) for _ in "ab")
        low, high = max(0, n_a + n_b - n), min(n_a, n_b)
        near = round(n_a * n_b / n) + draw.randint(-3, 3)
        found.append(
            (min(max(near, low), high) if draw.random() < 0.5 else draw.randint(low, high), n_a, n_b, n)
        )
    return found


def close_logs(found, wanted):
    """Relative error of the probability where a double holds it, else of its logarithm."""
    scale = np.maximum(1.0, np.abs(wanted) / 700)
    same = np.isneginf(found) & np.isneginf(wanted)
    return np.where(same, 0.0, np.abs(np.where(same, 0, found) - np.where(same, 0, wanted)) / scale).max()


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param([t for n in range(1, 12) for t in every_table(n)], id="every-table-to-11"),
        pytest.param(drawn_tables(1, tables=150, largest=60), id="to-60"),
        pytest.param(drawn_tables(2, tables=40, largest=4000), id="to-4000"),
    ],
)
def test_both_tails_agree_with_whole_numbers(tables):
    found = tails(cells_of(*columns(tables)))
    wanted = [exact_tails(*table) for table in tables]
    assert close_logs(found.ln_upper, np.array([ln(upper) for upper, _ in wanted])) < TOLERANCE / 100
    assert close_logs(found.ln_lower, np.array([ln(lower) for _, lower in wanted])) < TOLERANCE / 100


def test_p_agrees_with_scipy():
    tables = drawn_tables(3, tables=400, largest=200_000)
    n_ab, n_a, n_b, n = columns(tables)
    wanted = hypergeom.sf(n_ab - 1, n, n_a, n_b)
    held = wanted > 1e-290  # below, scipy has fewer digits or none
    assert held.sum() > 150
    np.testing.assert_allclose(10 ** log10_p(cells_of(n_ab, n_a, n_b, n))[held], wanted[held], rtol=TOLERANCE)


def precise_upper(n_ab, n_a, n_b, n):
    """The logarithm of P(X >= n_ab) in 60 digits, summed until nothing is added."""
    mpmath.mp.dps = 60

    def ln_comb(m, k):
        return mpmath.loggamma(m + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(m - k + 1)

    lead = ln_comb(n_b, n_ab) + ln_comb(n - n_b, n_a - n_ab) - ln_comb(n, n_a)
    term = total = mpmath.mpf(1)
    x = n_ab
    while term > total * mpmath.mpf(10) ** -25:
        term *= mpmath.mpf((n_b - x) * (n_a - x)) / ((x + 1) * (n - n_a - n_b + x + 1))
        total += term
        x += 1
    return lead + mpmath.log(total)


HUGE = [
    pytest.param((130, 1_000_000, 1_000_000, 10_000_000_000), id="rare-and-near-chance"),
    pytest.param((400_000, 1_000_000, 1_000_000, 10_000_000_000), id="rare-and-strong"),
    pytest.param((1_004_000, 100_000_000, 100_000_000, 10_000_000_000), id="common-four-deviations"),
    pytest.param((1_030_000, 100_000_000, 100_000_000, 10_000_000_000), id="p-of-1e-196"),
    pytest.param((2_500_100_000, 5_000_000_000, 5_000_000_000, 10_000_000_000), id="half-and-half"),
    pytest.param((500, 500, 9_999_000_000, 10_000_000_000), id="consequent-nearly-everywhere"),
    pytest.param((3, 3, 3, 10_000_000_000), id="three-and-only-together"),
]  # fmt: skip


@pytest.mark.parametrize("table", HUGE)
def test_ten_billion_baskets(table):
    found = log10_p(cells_of(*([count] for count in table)))[0]
    wanted = precise_upper(*table) / mpmath.log(10)
    error = abs(float(mpmath.mpf(float(found)) - wanted))
    assert error < TOLERANCE / math.log(10) * max(1, abs(float(wanted)) / 308)


def test_a_sum_of_all_probabilities_is_one():
    n_a, n_b, n = 700, 900, 2000
    x = np.arange(0, 701)
    assert np.exp(ln_pmf(cells_of(x, n_a, n_b, n))).sum() == pytest.approx(1, rel=1e-12)


def test_rules_do_not_disturb_each_other():
    """A batch of fast and slow sums is what each is alone."""
    tables = [*(p.values[0] for p in HUGE), *drawn_tables(4, tables=30, largest=1000)]
    together = tails(cells_of(*columns(tables)))
    for at, table in enumerate(tables):
        alone = tails(cells_of(*([count] for count in table)))
        assert alone.ln_upper[0] == pytest.approx(together.ln_upper[at], rel=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_agree_with_scipy(seed):
    tables = drawn_tables(10 + seed, tables=150, largest=10 ** (2 + seed))
    n_ab, n_a, n_b, n = columns(tables)
    np.testing.assert_array_equal(quantile_99(cells_of(n_ab, n_a, n_b, n)), hypergeom.ppf(0.99, n, n_a, n_b))


def test_quantiles_of_every_small_table():
    tables = [t for n in range(1, 10) for t in every_table(n)]
    found = quantile_99(cells_of(*columns(tables)))
    for (_, n_a, n_b, n), q in zip(tables, found, strict=True):
        assert exact_tails(int(q) + 1, n_a, n_b, n)[0] <= Fraction(1, 100)
        assert q == 0 or exact_tails(int(q), n_a, n_b, n)[0] > Fraction(1, 100)


def test_a_quantile_among_ten_billion():
    (q,) = quantile_99(cells_of([0], [100_000_000], [100_000_000], [10_000_000_000]))
    assert precise_upper(int(q) + 1, 10**8, 10**8, 10**10) <= mpmath.log(0.01)
    assert precise_upper(int(q), 10**8, 10**8, 10**10) > mpmath.log(0.01)


@pytest.mark.parametrize("counts", [(5, 4, 9, 20), (5, 9, 4, 20), (1, 9, 9, 15), (-1, 9, 9, 20)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="cannot be counts of baskets"):
        cells_of(*([3, count] for count in counts))


def test_no_rules_no_numbers():
    none = cells_of([], [], [], [])
    assert log10_p(none).shape == quantile_99(none).shape == (0,)
