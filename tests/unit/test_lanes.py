from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens.lanes import lanes, spark_hash


def test_hash_is_sparks(spark):
    values = [0, 1, 2, 41, 65_535, 65_536, 2**31 - 1]
    rows = spark.createDataFrame([(v,) for v in values], T.StructType([T.StructField("v", T.IntegerType())]))
    assert {r.v: r.h for r in rows.select("v", F.hash("v").alias("h")).collect()} == {
        v: spark_hash(v) for v in values
    }


def test_every_partition_has_a_lane_of_its_own(spark):
    wanted = lanes(7)
    rows = spark.createDataFrame([(v,) for v in wanted], T.StructType([T.StructField("v", T.IntegerType())]))
    placed = rows.repartition(7, "v").withColumn("partition", F.spark_partition_id()).collect()
    assert {r.v: r.partition for r in placed} == {v: i for i, v in enumerate(wanted)}
