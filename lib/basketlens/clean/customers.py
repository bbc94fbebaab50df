"""Customer ids become keys here, before any other step sees the rows."""

from collections.abc import Iterator, Mapping

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c
from basketlens.clean.mapping import text
from basketlens.privacy_key import customer_key, read_secret


def with_customer_key(rows: DataFrame, mapped: Mapping[str, str], *, key_file: str) -> DataFrame:
    """Add `customer_key`, the HMAC of the trimmed id; null where the id is empty or the source has none.

    Each distinct id of an Arrow batch is hashed once.  Only the path of the key file is in the plan.
    """
    source = mapped.get(c.CUSTOMER_ID)
    if not source:
        return rows.withColumn(c.CUSTOMER_KEY, F.lit(None).cast("string"))

    def run(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        secret = read_secret(key_file)
        for ids in batches:
            codes, distinct = pd.factorize(ids)  # null has code -1
            keys = [customer_key(secret, value) for value in distinct]
            yield pd.Series([keys[code] if code >= 0 else None for code in codes], dtype=object)

    key: Column = pandas_udf(run, "string")(text(rows, mapped, c.CUSTOMER_ID))  # type: ignore[call-overload]  # needs Series[Any]
    return rows.withColumn(c.CUSTOMER_KEY, key)
