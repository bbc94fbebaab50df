"""The only place that makes or finds a Spark session."""

from pyspark.sql import SparkSession


def start(job: str) -> SparkSession:
    """The session of this process, with what results depend on pinned to one value.

    Everything else (memory, parallelism, shuffle) belongs to conf/spark/*.conf or the cluster.
    """
    spark = SparkSession.builder.appName(f"basketlens {job}").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")  # the same instants whatever the machine's zone
    spark.conf.set(
        "spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"
    )  # not INT96: pandas reads it too
    # A CSV record is checked against all its fields, also when few are selected: short ones must not pass.
    spark.conf.set("spark.sql.csv.parser.columnPruning.enabled", "false")
    # Retail exports come in every charset that Java knows; Spark 4 would read six of them.
    spark.conf.set("spark.sql.legacy.javaCharsets", "true")
    # pandas writes TIMESTAMP(NANOS), which Spark refuses otherwise; clean reads such numbers as times.
    spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
    # store=007 is the text 007: read as a number it would meet no other "007".  tables.py casts what it needs.
    spark.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    # Rows of a few kinds go to a file each as they come; more kinds than this, such as days, are sorted first.
    spark.conf.set("spark.sql.maxConcurrentOutputFileWriters", "4")
    # A time that does not fit a pattern is a bad row in every version, not an error about what Spark 2 made of it.
    spark.conf.set("spark.sql.legacy.timeParserPolicy", "CORRECTED")
    return spark
