"""The hypergeometric distribution of `n_ab` when two item sets have nothing to do with each other, in numpy.

Given how many of `n` baskets hold A and how many hold B, independence leaves the number that holds both
hypergeometric (Fisher 1935).  A table of counts is four cells: 11 both, 10 only A, 01 only B, 00 neither.
No probability is formed before its logarithm, so nothing underflows; no two factorials of large numbers are
subtracted, so nothing cancels at 10 billion baskets.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_LN10: Final = math.log(10.0)
_HALF_LN_2PI: Final = 0.5 * math.log(2 * math.pi)
_TABLED: Final = 16  # Stirling's error from a table below, by its series from here on: 6 terms reach 1e-17
_SERIES: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_SMALL: Final = 0.1  # |t| below which (1 + t) ln(1 + t) - t is summed as a series
_REST: Final = 1e-15  # a tail is summed until what is left is below this share of it
_FIRST, _WIDEST = 16, 1024  # terms of a rule that are added at once: the first time, and at most
_BLOCK: Final = 1 << 16  # terms of all rules that are computed at once: 512 KiB an array
_Z99: Final = 2.3263478740408408  # normal quantile, where the search for the 0.99 quantile starts
_FUZZ: Final = (
    1000 * 2.220446049250313e-16
)  # as R's qhyper: a probability this close below delta counts as reached


class Cells(NamedTuple):
    """Tables of counts, each field (rules,) of whole numbers below 2^53."""

    n11: Floats
    n10: Floats
    n01: Floats
    n00: Floats


class Tails(NamedTuple):
    """Both sides of the observed count, (rules,) each."""

    ln_upper: Floats  # ln P(X >= n_ab), the one-sided p-value; 0 at most
    ln_lower: Floats  # ln P(X < n_ab), hyper-confidence; -inf where it is 0


def cells_of(n_ab: ArrayLike, n_a: ArrayLike, n_b: ArrayLike, n: ArrayLike) -> Cells:
    """The four cells from a rule's four counts.

    Raises:
        ValueError: counts that no set of baskets can have.
    """
    ab, a, b, whole = (np.asarray(count, np.float64) for count in (n_ab, n_a, n_b, n))
    cells = Cells(*np.broadcast_arrays(ab, a - ab, b - ab, whole - a - b + ab))
    impossible = np.minimum.reduce(cells) < 0
    if impossible.any():
        at = int(np.flatnonzero(impossible)[0])
        counts = [int(np.broadcast_to(c, impossible.shape).flat[at]) for c in (ab, a, b, whole)]
        raise ValueError(
            f"n_ab, n_a, n_b, n = {counts} cannot be counts of baskets: n_ab is at most n_a and n_b, and n_a + n_b - n_ab"
            " at most n.  Look at the itemsets that the rule was made from."
        )
    return cells


def tails(cells: Cells) -> Tails:
    """Both tails, the smaller one summed and the other one its complement.

    Relative error of a probability: about 1e-15 times (20 + its |ln|).  A and B may change places: the result
    is the same to the last bit.

    Source: Fisher 1935, "The Logic of Inductive Inference"; hyper-confidence: Hahsler & Hornik 2007, "New
    probabilistic interest measures for association rules".
    """
    cells = cells._replace(n10=np.minimum(cells.n10, cells.n01), n01=np.maximum(cells.n10, cells.n01))
    is_above = _determinant(cells) > 0  # more often together than expected
    below = Cells(cells.n11 - 1, cells.n10 + 1, cells.n01 + 1, cells.n00 - 1)  # one basket less holds both
    start = Cells(*(np.where(is_above, c, less) for c, less in zip(cells, below, strict=True)))
    is_possible = (start.n11 >= 0) & (start.n00 >= 0)
    ln_tail = np.full(is_above.shape, -np.inf)
    at = Cells(*(cell[is_possible] for cell in start))
    growing = is_above[is_possible]
    # The upper tail moves baskets from 10 and 01 to 11 and 00, the lower one back.
    ups = Cells(
        *(
            np.where(growing, *pair)
            for pair in ((at.n11, at.n10), (at.n10, at.n11), (at.n01, at.n00), (at.n00, at.n01))
        )
    )
    ln_tail[is_possible] = ln_pmf(at) + np.log(_sum_of_ratios(ups))
    ln_tail = np.minimum(ln_tail, 0.0)
    other = _ln_complement(ln_tail)
    return Tails(np.where(is_above, ln_tail, other), np.where(is_above, other, ln_tail))


def log10_p(cells: Cells) -> Floats:
    """log10 of the one-sided p-value P(X >= n_ab), (rules,); 0 at most, never -inf."""
    return tails(cells).ln_upper / _LN10


def quantile_99(cells: Cells) -> Floats:
    """The smallest count that is not exceeded with probability 0.99, (rules,).

    Starts at the normal quantile corrected for skewness, within a count or two of the answer, and walks.

    Source: Hahsler & Hornik 2007 (hyper-lift with delta = 0.99); compared as R's qhyper does.
    """
    a, b = cells.n11 + cells.n10, cells.n11 + cells.n01
    n = a + cells.n01 + cells.n00
    low, high = np.maximum(0.0, a + b - n), np.minimum(a, b)
    at = np.clip(_near_quantile(a, b, n), low, high)
    allowed = 1 - 0.99 * (1 - _FUZZ)

    def table(count: Floats) -> Cells:
        return Cells(count, a - count, b - count, n - a - b + count)

    above = np.zeros(at.shape)  # P(X > at)
    open_ = at < high
    above[open_] = np.exp(tails(Cells(*(c[open_] for c in table(at + 1)))).ln_upper)
    while True:
        # Too low: more than 1 % above.  Too high: one count less would do as well.
        pmf = np.exp(ln_pmf(table(at)))
        is_low = above > allowed
        is_high = ~is_low & (at > low) & (above + pmf <= allowed)
        if not (is_low | is_high).any():
            return at
        up = np.where(is_low, np.exp(ln_pmf(table(np.minimum(at + 1, high)))), 0.0)
        above = above - up + np.where(is_high, pmf, 0.0)
        at = at + is_low - is_high


def ln_pmf(cells: Cells) -> Floats:
    """The logarithm of P(X = n11), (rules,).

    With ln m! = m ln m - m + L(m), the m ln m of all cells and margins are together the sum over the cells of
    e phi(t): e the expected count, t = (count - e) / e, phi(t) = (1 + t) ln(1 + t) - t.  That is Loader's
    saddle-point form, in which every summand is small when the probability is not.

    Source: Loader 2000, "Fast and Accurate Computation of Binomial Probabilities"; R's dhyper.
    """
    a, b = cells.n11 + cells.n10, cells.n11 + cells.n01
    not_a, not_b = cells.n01 + cells.n00, cells.n10 + cells.n00
    n = a + not_a
    det = _determinant(cells)
    deviance = np.zeros(n.shape)
    for rows, columns, sign in ((a, b, 1), (a, not_b, -1), (not_a, b, -1), (not_a, not_b, 1)):
        area = rows * columns
        t = np.divide(sign * det, area, out=np.zeros(n.shape), where=area > 0)
        deviance += area / n * _phi(np.maximum(t, -1.0))
    margins = _log_excess(a) + _log_excess(b) + _log_excess(not_a) + _log_excess(not_b) - _log_excess(n)
    inside = sum((_log_excess(cell) for cell in cells), np.zeros(n.shape))
    return margins - inside - deviance


def _determinant(cells: Cells) -> Floats:
    """n11 n00 - n10 n01 = n n_ab - n_a n_b to full precision: the products are exact in two doubles each."""
    high, low = _two_product(cells.n11, cells.n00)
    other_high, other_low = _two_product(cells.n10, cells.n01)
    return (high - other_high) + (low - other_low)


def _two_product(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The product as a double, and its rounding error.  Source: Dekker 1971."""
    product = x * y
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    return product, error


def _halves(x: Floats) -> tuple[Floats, Floats]:
    scaled = x * 134217729.0  # 2^27 + 1
    high = scaled - (scaled - x)
    return high, x - high


def _phi(t: Floats) -> Floats:
    """(1 + t) ln(1 + t) - t for t >= -1, to full relative precision also at small t."""
    is_small = np.abs(t) < _SMALL
    v = np.where(is_small, t, 0.0) / (2 + np.where(is_small, t, 0.0))
    series = np.zeros(t.shape)
    for k in range(15, 1, -2):  # ln(1 + t) = 2 (v + v^3 / 3 + v^5 / 5 + ...)
        series = (series + 1 / k) * v * v
    small = t * v + 2 * (1 + t) * v * series
    inner = np.where(is_small | (t <= -1), 0.0, t)
    large = (1 + inner) * np.log1p(inner) - inner
    return np.where(is_small, small, np.where(t <= -1, 1.0, large))


def _log_excess(m: Floats) -> Floats:
    """What ln m! has beyond m ln m - m: half of ln(2 pi m) and Stirling's error; 0 for m = 0."""
    x = np.maximum(m, 1.0)
    inverse = 1 / (x * x)
    error = np.zeros(x.shape)
    for factor in reversed(_SERIES):
        error = error * inverse + factor
    large = 0.5 * np.log(x) + _HALF_LN_2PI + error / x
    return np.where(m < _TABLED, _EXCESS[np.minimum(m, _TABLED - 1).astype(np.int64)], large)


_EXCESS: Final = np.array(
    [0.0] + [math.log(math.factorial(m)) - (m * math.log(m) - m) for m in range(1, _TABLED)]
)


def _sum_of_ratios(cells: Cells) -> Floats:
    """1 + P(x + 1) / P(x) + P(x + 2) / P(x) + ..., (rules,), for tables at or past the mode.

    Ratios of neighbours fall, so what is left is at most a geometric series: a rule stops when that is too
    small to matter.  How many terms are added at once depends on how far the sum is, and not on the other
    rules: a rule's sum is the same to the last bit in every batch.
    """
    total = np.ones(cells.n11.shape)
    term = np.ones(cells.n11.shape)
    active = np.flatnonzero((cells.n10 > 0) & (cells.n01 > 0))
    done, width = 0, _FIRST
    while len(active):
        rows = max(1, _BLOCK // width)
        for part in (active[i : i + rows] for i in range(0, len(active), rows)):
            step = done + np.arange(width)  # (width,)
            n11, n10, n01, n00 = (cell[part][:, None] for cell in cells)
            down = np.maximum(n10 - step, 0) * np.maximum(n01 - step, 0)
            ratios = down / ((n11 + step + 1) * (n00 + step + 1))  # (rules, width)
            terms = term[part][:, None] * np.cumprod(ratios, axis=1)
            total[part] += terms.sum(axis=1)
            last = ratios[:, -1]
            rest = np.where(last < 1, terms[:, -1] * last / np.maximum(1 - last, 1e-300), np.inf)
            term[part] = np.where(rest <= _REST * total[part], 0.0, terms[:, -1])
        done, width = done + width, min(2 * width, _WIDEST)
        active = active[term[active] > 0]
    return total


def _ln_complement(ln_p: Floats) -> Floats:
    """ln(1 - p) from ln p."""
    with np.errstate(divide="ignore"):  # p = 1 leaves ln 0
        near_one = np.log(-np.expm1(np.maximum(ln_p, -1.0)))
    return np.where(ln_p > -math.log(2), near_one, np.log1p(-np.exp(np.minimum(ln_p, -0.5))))


def _near_quantile(a: Floats, b: Floats, n: Floats) -> Floats:
    """Cornish-Fisher with one term; any whole number would do, a good one is fast."""
    mean = a * b / n
    variance = mean * (n - a) / n * (n - b) / np.maximum(n - 1, 1)
    sd = np.sqrt(variance)
    skewness = np.divide((n - 2 * a) * (n - 2 * b), n * n * sd, out=np.zeros(n.shape), where=sd > 0)
    return np.floor(mean + sd * (_Z99 + skewness * (_Z99**2 - 1) / 6))
