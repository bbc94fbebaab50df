"""Customer ids become keys here, before any other step sees the rows."""

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c
from basketlens.privacy_key import customer_key, read_secret


def with_customer_key(rows: DataFrame, customer_id: Column, *, key_file: str) -> DataFrame:
    """Add `customer_key`, the HMAC of the trimmed id; null where the id is empty.

    Each distinct id of an Arrow batch is hashed once.  Only the path of the key file is in the plan.
    """

    def run(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        secret = read_secret(key_file)
        for ids in batches:
            codes, distinct = pd.factorize(ids)  # null has code -1
            keys = [customer_key(secret, value) for value in distinct]
            yield pd.Series([keys[code] if code >= 0 else None for code in codes], dtype=object)

    trimmed = F.trim(customer_id.cast("string"))
    filled = F.when(trimmed != "", trimmed)
    key: Column = pandas_udf(run, "string")(filled)  # type: ignore[call-overload]  # needs Series[Any]
    return rows.withColumn(c.CUSTOMER_KEY, key)
