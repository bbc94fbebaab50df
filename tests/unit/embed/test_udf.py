import numpy as np
import pytest
from pyspark.sql import functions as F

from basketlens.embed.udf import embed_udf
from basketlens.errors import InputError, SettingsError


def test_in_sql_and_in_queries(spark, names, tmp_path):
    """More rows than an Arrow batch, names that repeat, nulls: each row gets its own name's vector."""
    from pathlib import Path

    from basketlens.embed.encoder import Encoder
    from basketlens.embed.options import EncoderOptions
    from basketlens.locations import resolve
    from tests.unit.embed.conftest import MODEL

    rows = [(i, names[i % 7] if i % 5 else None) for i in range(300)]
    frame = spark.createDataFrame(rows, "id long, name string").repartition(3, "id")
    spark.udf.register("embed", embed_udf(batch_tokens=512))
    before = spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "16")
    try:
        frame.createOrReplaceTempView("named")
        found = {r.id: r.vector for r in spark.sql("SELECT id, embed(name) AS vector FROM named").collect()}
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", before)
    wanted = Encoder.load(Path(resolve(MODEL)), EncoderOptions(), device="cpu").probe(names[:7])
    assert len(found) == 300
    for i, name in rows:
        if name is None:
            assert found[i] is None
        else:
            assert np.array(found[i]) == pytest.approx(wanted[i % 7], abs=2e-6)
    column = frame.select(F.size(embed_udf()("name")).alias("width"))
    assert {r.width for r in column.collect()} <= {384, -1, None}


@pytest.mark.parametrize(("options", "error", "said"), [
    ({"pooling": "max"}, SettingsError, "embed.pooling"),
    ({"poling": "mean"}, SettingsError, "pooling is the nearest"),
    ({"model": "/not/there"}, InputError, "is no folder on this machine"),
])  # fmt: skip
def test_options_are_checked_where_it_is_made(options, error, said):
    with pytest.raises(error, match=said):
        embed_udf(**options)


def test_an_unused_model_is_not_loaded(spark):
    empty = spark.createDataFrame([], "name string").repartition(2)
    assert empty.select(embed_udf()("name")).count() == 0
