"""Customer ids become keys here, before any other step sees the rows."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c
from basketlens.clean.mapping import text
from basketlens.privacy_key import keyed, read_secret

_REMEMBERED: Final = 1 << 17  # ids of one task; reckoned at 40 MiB, not measured


def with_customer_key(rows: DataFrame, mapped: Mapping[str, str], *, key_file: str) -> DataFrame:
    """Add `customer_key`, the HMAC of the trimmed id; null where the id is empty or the source has none.

    An id is hashed once as long as the task remembers it.  Only the path of the key file is in the plan.
    """
    if not mapped.get(c.CUSTOMER_ID):
        return rows.withColumn(c.CUSTOMER_KEY, F.lit(None).cast("string"))

    def run(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        key_of = lru_cache(_REMEMBERED)(keyed(read_secret(key_file)))
        for ids in batches:
            coded = ids.dictionary_encode()
            keys = [key_of(value) for value in coded.dictionary.to_pylist()]
            yield pa.array(keys, pa.string()).take(coded.indices)  # null where the id is null

    return rows.withColumn(c.CUSTOMER_KEY, _arrow_udf(run)(text(rows, mapped, c.CUSTOMER_ID)))


def _arrow_udf(run: Callable[[Iterator[pa.Array]], Iterator[pa.Array]]) -> Callable[[Column], Column]:
    """`run` over Arrow arrays as they are (Spark 4.1), else by way of pandas, which takes longer."""
    arrow_udf = getattr(F, "arrow_udf", None)
    if arrow_udf is not None:
        return arrow_udf(run, "string")  # type: ignore[no-any-return]  # unknown to Spark 3.5

    def by_pandas(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for keys in run(pa.array(ids, pa.string(), from_pandas=True) for ids in batches):
            yield keys.to_pandas()

    return pandas_udf(by_pandas, "string")  # type: ignore[call-overload, no-any-return]  # needs Series[Any]
