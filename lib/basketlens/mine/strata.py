"""Strata of baskets, and the lift that is left when baskets are only compared within their stratum."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens.errors import LimitError
from basketlens.mine.customer_shards import STRATUM
from basketlens.mine.facts import STRATUM_KEY
from basketlens.stage_io import StageIO

BASKETS: Final = "baskets"  # long, mined baskets of the stratum
EXPECTED: Final = "expected"  # double, sum over strata of n_a n_b / n
_LABEL: Final = "label"
_KEYS: Final = "keys"


def write_strata(io: StageIO, *, stratify: str, limit: int) -> NDArray[np.int64]:
    """Write scratch `strata` (stratum, baskets, keys); mined baskets of each, (strata,), empty when nothing is known.

    Baskets without a store or day share a stratum of their own.  The promotions of a basket's own lines would be the
    wrong strata: who bought neither item has none of their codes, so that conditioning on them makes independent
    items repel each other.  So the stratum is what was promoted on the day, whoever bought it.

    Args:
        io: of the stage, which has written `baskets`.
        stratify: `mine.stratify`, not "".
        limit: `mine.max_strata`.

    Raises:
        LimitError: there are more strata.
    """
    keys = io.read("baskets").groupBy(_known_key().alias(STRATUM_KEY)).agg(F.count("*").alias(BASKETS))
    labelled = keys.withColumn(_LABEL, F.col(STRATUM_KEY))
    if stratify == "promotion":
        if not io.write("campaigns", campaigns(io.read("lines")), doing="listing promotions per day").rows:
            return np.empty(0, np.int64)
        promoted = keys.join(F.broadcast(io.read("campaigns")), STRATUM_KEY, "left")
        labelled = promoted.withColumn(_LABEL, F.coalesce(_LABEL, F.lit("")))
    merged = labelled.groupBy(_LABEL).agg(
        F.sum(BASKETS).alias(BASKETS), F.collect_list(STRATUM_KEY).alias(_KEYS)
    )
    ordered = merged.repartition(1).sortWithinPartitions(_LABEL)
    # In the one partition there is, the generated ids are 0, 1, 2...
    numbered = ordered.withColumn(STRATUM, F.monotonically_increasing_id().cast("int"))
    is_known = F.count(F.when(~F.array_contains(_KEYS, ""), 1)).alias("known")
    written = io.write(
        "strata", numbered, doing=f"numbering strata ({stratify})", measures={"known": is_known}
    )
    if written.rows > limit:
        raise LimitError(
            f"mine.stratify = '{stratify}' cuts the baskets into {written.rows:,} strata; mine.max_strata is {limit:,}.\n"
            "  Next: raise mine.max_strata (each stratum is a number for every itemset), or stratify by another column"
        )
    if not written.measures["known"]:
        return np.empty(0, np.int64)
    sizes = io.to_driver(
        io.read("strata").select(STRATUM, BASKETS), limit=limit, what="strata", doing="reading the strata"
    )
    per_stratum: NDArray[np.int64] = sizes.sort_values(STRATUM)[BASKETS].to_numpy()
    return per_stratum


def campaigns(lines: DataFrame) -> DataFrame:
    """stratum_key (day), label: the promotion codes that some line of the day carries, for days that have any."""
    if c.PROMOTION not in lines.columns or c.SOLD_AT not in lines.columns:
        lines = lines.withColumns({name: F.lit(None) for name in (c.PROMOTION, c.SOLD_AT)})
    day = F.to_date(c.SOLD_AT).cast("string").alias(STRATUM_KEY)
    running = lines.filter(F.col(c.PROMOTION).isNotNull() & F.col(c.SOLD_AT).isNotNull()).groupBy(day)
    return running.agg(
        F.to_json(F.sort_array(F.collect_set(F.col(c.PROMOTION).cast("string")))).alias(_LABEL)
    )


def with_stratum(baskets: DataFrame, strata: DataFrame | None) -> DataFrame:
    """Add stratum from scratch `strata`; null without."""
    if strata is None:
        return baskets.withColumn(STRATUM, F.lit(None).cast("int"))
    place = strata.select(STRATUM, F.explode(_KEYS).alias("key"))
    return baskets.join(F.broadcast(place), _known_key() == F.col("key"), "left").drop("key")


def _known_key() -> Column:
    return F.coalesce(F.col(STRATUM_KEY), F.lit(""))


def with_expected(rules: DataFrame, a: str, b: str, per_stratum: NDArray[np.int64]) -> DataFrame:
    """Add expected: the baskets with both sides if they were independent within every stratum.

    n_ab over it is the Mantel-Haenszel ratio of n_ab / n_a to n_b / n, pooled over strata s:
    sum(n_ab,s n_s / n_s) / sum(n_b,s n_a,s / n_s).  With one stratum it is lift.

    Args:
        rules: with the counts per stratum of both sides, array<struct<stratum int, count long>>, ascending; they
            are dropped.
        a: column of the antecedent's.
        b: column of the consequent's.
        per_stratum: (strata,), mined baskets.

    Source: Mantel, Haenszel 1959, "Statistical Aspects of the Analysis of Data From Retrospective Studies".
    """
    kept = [field for field in rules.schema.fields if field.name not in {a, b}]

    def expect(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = [batch.column(field.name) for field in kept]
            expected = expected_together(batch.column(a), batch.column(b), per_stratum)
            names = [*(field.name for field in kept), EXPECTED]
            yield pa.RecordBatch.from_arrays([*columns, pa.array(expected)], names=names)

    return rules.mapInArrow(expect, T.StructType([*kept, T.StructField(EXPECTED, T.DoubleType())]))


def expected_together(a: pa.Array, b: pa.Array, per_stratum: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum over strata of n_a n_b / n for each row, (rows,); terms are added in the order of the strata."""
    (keys_a, count_a), (keys_b, count_b) = (_flat(lists, len(per_stratum)) for lists in (a, b))
    both, at_a, at_b = np.intersect1d(keys_a, keys_b, assume_unique=True, return_indices=True)
    terms = count_a[at_a].astype(np.float64) * count_b[at_b] / per_stratum[both % len(per_stratum)]
    sums = np.bincount(both // len(per_stratum), weights=terms, minlength=len(a))
    return sums.astype(np.float64)  # without any terms numpy gives ints


def _flat(lists: pa.Array, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    entries = lists.flatten()
    row = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy())
    return row * width + entries.field(STRATUM).to_numpy(), entries.field(c.COUNT).to_numpy()
