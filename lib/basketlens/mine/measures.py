"""Every measure of a rule: what it is, where it comes from, and the Spark expression that computes it.

All come from four counts.  Differences of products are formed exactly, in whole numbers, before anything is
divided, so a value near independence keeps its digits at 10 billion baskets.  Where a formula divides by zero
the value is null.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c

HYPER_LIFT: Final = "hyper_lift"
HYPER_CONFIDENCE: Final = "hyper_confidence"
QUANTILE_99: Final = (
    "quantile_99"  # double, the count that chance exceeds once in 100 times; hyper_lift needs it
)
P_BELOW: Final = "p_below"  # double, 0..1, probability of a count below n_ab; hyper_confidence is it
CONTRACT: Final = (c.SUPPORT, c.CONFIDENCE, c.LIFT, c.LEVERAGE, c.CONVICTION)  # always in the table
_SMALL: Final = 1e-4  # |t| below which _phi is a series: its next term is 1e-13 of it


class Counts(NamedTuple):
    """The four counts of a rule and what follows from them, as double columns."""

    ab: Column  # baskets with A and B
    a: Column
    b: Column
    n: Column  # baskets in all
    not_a: Column
    not_b: Column
    only_a: Column  # with A, without B
    only_b: Column
    neither: Column
    excess: Column  # n * ab - a * b, exact before it becomes a double: above 0 when more often together than by chance


class Measure(NamedTuple):
    """One measure; a, b, ab, n in the formula are counts, P(...) shares of baskets, ' is "without"."""

    formula: str
    range: str
    source: str
    column: Callable[[Counts], Column]


def _over(numerator: Column, denominator: Column) -> Column:
    """A quotient, null where it divides by zero."""
    return numerator / F.nullif(denominator, F.lit(0.0))


def _phi(t: Column) -> Column:
    """(1 + t) ln(1 + t) - t: 0 at 0, 1 at -1, and never negative."""
    series = t * t * (F.lit(0.5) - t * (F.lit(1 / 6) - t / 12))
    exact = (t + 1) * F.log1p(F.greatest(t, F.lit(-1 + 1e-15))) - t  # at t = -1 the first factor is 0
    return F.when(F.abs(t) < _SMALL, series).otherwise(exact)


def _divergence(area: Column, excess: Column, n: Column) -> Column:
    """Baskets x nats by which one cell departs from chance: e phi(excess / area) with e = area / n expected."""
    return F.when(area == 0, F.lit(0.0)).otherwise(area / n * _phi(_over(excess, area)))


def _entropy(one: Column, other: Column, n: Column) -> Column:
    """Entropy in nats of a split of n baskets in two."""
    parts = [
        F.when(m == 0, F.lit(0.0)).otherwise(-m / n * F.log(F.greatest(m, F.lit(1.0)) / n))
        for m in (one, other)
    ]
    return parts[0] + parts[1]


def _j_measure(k: Counts) -> Column:
    return (_divergence(k.a * k.b, k.excess, k.n) + _divergence(k.a * k.not_b, -k.excess, k.n)) / k.n


def _mutual_information(k: Counts) -> Column:
    without_a = _divergence(k.not_a * k.b, -k.excess, k.n) + _divergence(k.not_a * k.not_b, k.excess, k.n)
    least = F.least(_entropy(k.a, k.not_a, k.n), _entropy(k.b, k.not_b, k.n))
    return _over(_j_measure(k) + without_a / k.n, least)


def _yule_y(k: Counts) -> Column:
    roots = F.sqrt(k.ab * k.neither) + F.sqrt(k.only_a * k.only_b)
    return _over(k.excess, roots * roots)


_TAN: Final = "Tan, Kumar & Srivastava 2004"
_WU: Final = "Wu, Chen & Han 2010"
_HAHSLER: Final = "Hahsler & Hornik 2007"

MEASURES: Final[Mapping[str, Measure]] = {
    c.SUPPORT: Measure("ab / n", "0..1", "Agrawal, Imielinski & Swami 1993", lambda k: k.ab / k.n),
    c.CONFIDENCE: Measure("ab / a", "0..1", "Agrawal, Imielinski & Swami 1993", lambda k: k.ab / k.a),
    c.LIFT: Measure("ab n / (a b)", "0.., 1 = independent", "Brin et al. 1997", lambda k: k.ab * k.n / (k.a * k.b)),
    c.LEVERAGE: Measure(
        "P(AB) - P(A) P(B)", "-0.25..0.25, 0 = independent", "Piatetsky-Shapiro 1991", lambda k: k.excess / (k.n * k.n)
    ),
    c.CONVICTION: Measure(
        "P(A) P(B') / P(AB')", "0.., 1 = independent, null = infinite", "Brin et al. 1997",
        lambda k: _over(k.a * k.not_b, k.n * k.only_a),
    ),
    "zhang": Measure(
        "(P(AB) - P(A) P(B)) / max(P(AB) P(A'), P(A) (P(B) - P(AB)))", "-1..1, 0 = independent", "Zhang 2000",
        lambda k: _over(k.excess, F.greatest(k.ab * k.not_a, k.a * k.only_b)),
    ),
    "jaccard": Measure("ab / (a + b - ab)", "0..1", _TAN, lambda k: k.ab / (k.a + k.only_b)),
    "cosine": Measure("ab / sqrt(a b)", "0..1", _TAN, lambda k: k.ab / F.sqrt(k.a * k.b)),
    "kulczynski": Measure("(ab / a + ab / b) / 2", "0..1, 0.5 = neutral", _WU, lambda k: (k.ab / k.a + k.ab / k.b) / 2),
    "imbalance_ratio": Measure(
        "|a - b| / (a + b - ab)", "0..1, 0 = balanced", _WU, lambda k: F.abs(k.a - k.b) / (k.a + k.only_b)
    ),
    "certainty": Measure(
        "(P(B|A) - P(B)) / P(B')", "..1, 0 = independent", "Galiano et al. 2002", lambda k: _over(k.excess, k.a * k.not_b)
    ),
    "phi": Measure(
        "(P(AB) - P(A) P(B)) / sqrt(P(A) P(A') P(B) P(B'))", "-1..1, 0 = independent", _TAN,
        lambda k: _over(k.excess, F.sqrt(k.a * k.not_a * k.b * k.not_b)),
    ),
    "odds_ratio": Measure(
        "P(AB) P(A'B') / (P(AB') P(A'B))", "0.., 1 = independent, null = infinite", _TAN,
        lambda k: _over(k.ab * k.neither, k.only_a * k.only_b),
    ),
    "yule_q": Measure(
        "(OR - 1) / (OR + 1), OR the odds ratio", "-1..1, 0 = independent, 1 where OR is infinite", _TAN,
        lambda k: _over(k.excess, k.ab * k.neither + k.only_a * k.only_b),
    ),
    "yule_y": Measure(
        "(sqrt(OR) - 1) / (sqrt(OR) + 1)", "-1..1, 0 = independent, 1 where OR is infinite", _TAN, _yule_y
    ),
    "relative_risk": Measure(
        "P(B|A) / P(B|A')", "0.., 1 = independent, null = infinite", "Sistrom & Garvan 2004",
        lambda k: _over(k.ab * k.not_a, k.a * k.only_b),
    ),
    "added_value": Measure("P(B|A) - P(B)", "-1..1, 0 = independent", _TAN, lambda k: k.excess / (k.a * k.n)),
    "all_confidence": Measure(
        "min(P(B|A), P(A|B))", "0..1", "Omiecinski 2003, of the two sides as " + _WU,
        lambda k: k.ab / F.greatest(k.a, k.b),
    ),
    "max_confidence": Measure("max(P(B|A), P(A|B))", "0..1", _WU, lambda k: k.ab / F.least(k.a, k.b)),
    "j_measure": Measure(
        "P(AB) ln(P(B|A) / P(B)) + P(AB') ln(P(B'|A) / P(B'))", "0.., nats, 0 = independent", "Smyth & Goodman 1991",
        _j_measure,
    ),
    "gini": Measure(
        "P(A) (P(B|A)^2 + P(B'|A)^2) + P(A') (P(B|A')^2 + P(B'|A')^2) - P(B)^2 - P(B')^2", "0..0.5, 0 = independent",
        _TAN, lambda k: _over(2 * k.excess / k.n * k.excess / k.n, k.a * k.not_a),
    ),
    "mutual_information": Measure(
        "sum over A, A' and B, B' of P(..) ln(P(..) / (P(.) P(.))), divided by the smaller entropy of A and B",
        "0..1, 0 = independent", _TAN, _mutual_information,
    ),
    "kappa": Measure(
        "(P(AB) + P(A'B') - P(A) P(B) - P(A') P(B')) / (1 - P(A) P(B) - P(A') P(B'))", "-1..1, 0 = independent", _TAN,
        lambda k: _over(2 * k.excess, k.a * k.not_b + k.not_a * k.b),
    ),
    "laplace": Measure("(ab + 1) / (a + 2)", "0..1", _TAN, lambda k: (k.ab + 1) / (k.a + 2)),
    "chi_squared": Measure(
        "n phi^2", "0..n, 0 = independent, above 3.84 significant at 5% alone", "Brin, Motwani & Silverstein 1997",
        lambda k: _over(k.excess / k.a * k.excess / k.b * k.n, k.not_a * k.not_b),
    ),
    HYPER_LIFT: Measure(
        "ab / (0.99 quantile of X), X hypergeometric", "0.., above 1 = unlikely by chance, null = infinite", _HAHSLER,
        lambda k: _over(k.ab, F.col(QUANTILE_99)),
    ),
    HYPER_CONFIDENCE: Measure(
        "P(X < ab), X hypergeometric", "0..1", _HAHSLER, lambda k: F.col(P_BELOW)
    ),
    "coverage": Measure("a / n", "0..1", "Hahsler, arules", lambda k: k.a / k.n),
}  # fmt: skip
EXTRA: Final = tuple(name for name in MEASURES if name not in CONTRACT)


def counts() -> Counts:
    """Columns of a table with n_ab, n_a, n_b, n (long, up to 10 trillion)."""
    ab, a, b, n = (F.col(name).cast("double") for name in (c.N_AB, c.N_A, c.N_B, c.N))
    whole_ab, whole_a, whole_b, whole_n = (
        F.col(name).cast("decimal(14,0)") for name in (c.N_AB, c.N_A, c.N_B, c.N)
    )
    excess = (whole_n * whole_ab - whole_a * whole_b).cast("double")
    return Counts(ab, a, b, n, n - a, n - b, a - ab, b - ab, n - a - b + ab, excess)


def with_measures(rules: DataFrame, extra: Sequence[str]) -> DataFrame:
    """Add the measures that are always there, and those of `extra`, in its order.

    Args:
        rules: n_ab, n_a, n_b, n; and for hyper_lift and hyper_confidence QUANTILE_99 and P_BELOW.
        extra: names of `EXTRA`.
    """
    known = counts()
    return rules.withColumns({name: MEASURES[name].column(known) for name in (*CONTRACT, *extra)})
