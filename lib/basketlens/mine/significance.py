"""How far a rule's counts lie from chance: Fisher's exact test, and an interval around lift."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c
from basketlens.fisher import cells_of, quantile_99, tails
from basketlens.mine.measures import HYPER_LIFT, P_BELOW, QUANTILE_99, counts

LEAST_P: Final = 1e-308  # stands for itself and all below: a p of 0 would say that something is impossible
_Z95: Final = 1.959963984540054  # normal quantile of 0.975
_FOUND: Final = f"{c.LOG10_P} double, {P_BELOW} double, {QUANTILE_99} double"


def with_fisher(rules: DataFrame, extra: Sequence[str]) -> DataFrame:
    """Add log10_p, p_below, and where hyper_lift is among `extra` quantile_99 (else null).

    Args:
        rules: n_ab, n_a, n_b, n.
        extra: wanted measures.
    """
    wants_quantile = HYPER_LIFT in extra  # as dear as all the rest

    def run(n_ab: pd.Series, n_a: pd.Series, n_b: pd.Series, n: pd.Series) -> pd.DataFrame:
        cells = cells_of(n_ab, n_a, n_b, n)
        found = tails(cells)
        return pd.DataFrame(
            {
                c.LOG10_P: found.ln_upper / np.log(10.0),
                P_BELOW: np.exp(found.ln_lower),
                QUANTILE_99: quantile_99(cells) if wants_quantile else np.full(len(n), np.nan),
            }
        )

    fisher = pandas_udf(run, _FOUND)  # type: ignore[call-overload]  # needs pd.Series[Any]
    found = rules.withColumn("fisher", fisher(c.N_AB, c.N_A, c.N_B, c.N))
    return found.select(*rules.columns, "fisher.*").withColumn(
        QUANTILE_99, F.nullif(F.col(QUANTILE_99), F.lit(float("nan")))
    )


def with_p_values(rules: DataFrame) -> DataFrame:
    """Add p_value, q_value and holm_p from their logarithms; none is below 1e-308."""
    logs = {c.P_VALUE: c.LOG10_P, c.Q_VALUE: c.LOG10_Q, c.HOLM_P: c.LOG10_HOLM_P}
    return rules.withColumns({name: _from_log10(log) for name, log in logs.items()})


def with_lift_interval(rules: DataFrame) -> DataFrame:
    """Add lift_low and lift_high, the 95% interval of lift: lift times and over exp(1.96 standard errors).

    ln lift is a function of the four cells of a multinomial; by the delta method its variance is, with P(AB) of
    AB in shares, (P(AB)^2 P(A'B') + P(AB') P(A'B) (1 - P(AB))) / (n P(AB) P(A) P(B)).  It holds for one rule
    looked at by itself.  Rules are picked for being strong, so their lifts are high by luck too: on other
    baskets more than 5% fall below `lift_low`.

    Source: Doob 1935, "The Limiting Distributions of Certain Statistics" (delta method), as for the relative
    risk in Katz et al. 1978.

    Args:
        rules: n_ab (1 or more), n_a, n_b, n, lift.
    """
    k = counts()
    shared = k.ab * k.ab / k.n * k.neither + k.only_a / k.n * k.only_b * (k.n - k.ab)
    margin = F.exp(_Z95 * F.sqrt(shared / k.ab / k.a / k.b))
    return rules.withColumn(c.LIFT_LOW, F.col(c.LIFT) / margin).withColumn(
        c.LIFT_HIGH, F.col(c.LIFT) * margin
    )


def _from_log10(log: str) -> Column:
    return F.greatest(F.pow(F.lit(10.0), F.col(log)), F.lit(LEAST_P))
