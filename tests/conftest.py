"""One Spark session for the whole test run, and the settings and tables that tests share."""

import os
import sys

# Before pyspark starts Java: workers run this interpreter, and find the package without an install.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
_LIB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_LIB, os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest  # noqa: E402 - the lines above must come before Java starts
from pyspark.sql import SparkSession  # noqa: E402

from basketlens import privacy_key, session  # noqa: E402
from tests.memory_io import MemoryIO  # noqa: E402


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    """Two cores, two shuffle partitions, UTC, no UI."""
    SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", "2").config(
        "spark.default.parallelism", "2"
    ).config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config(
        "spark.driver.memory", "2g"
    ).config(
        "spark.driver.extraJavaOptions",
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
    ).config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse"))).config(
        "spark.sql.execution.pyspark.udf.faulthandler.enabled", "true"
    ).config("spark.log.level", "ERROR").getOrCreate()
    return session.start("tests")


@pytest.fixture(scope="session")
def memory_io(spark: SparkSession):
    """Makes the clean stage's world from literal rows: {"raw_lines": (plain row, changes), ...}."""
    return lambda sources: MemoryIO(spark, sources)


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    """A file with a secret for customer keys, in a process that knows no other."""
    monkeypatch.delenv(privacy_key.VARIABLE, raising=False)
    privacy_key.read_secret.cache_clear()
    path = tmp_path / "privacy.key"
    path.write_text("correct horse battery staple\n")
    path.chmod(0o600)
    yield path
    privacy_key.read_secret.cache_clear()
