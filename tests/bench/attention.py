"""Exact attention against a plain GEMM loop over the same tiles and faiss' exact search, one core each.

    ./submit.sh bench attention [--n 30000] [--d 384] [--k 50] [--runs 3] [--queries 0]

The GEMM loop makes every tile of scores and looks at none.  faiss' `IndexFlatIP` finds the top k and no normaliser
(left out where faiss-cpu is not installed).  Ours gives top k, log-sum-exp and entropy.  Turns alternate.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import numpy as np
import torch

from basketlens.link.attention import attend
from basketlens.link.shard import Shard
from basketlens.link.softmax import finish, nothing_seen
from basketlens.link.tiles import KEY_TILE, QUERY_TILE


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--n", type=int, default=30_000, help="keys")
    given.add_argument("--d", type=int, default=384, help="numbers of a vector")
    given.add_argument("--k", type=int, default=50, help="neighbours kept")
    given.add_argument("--queries", type=int, default=0, help="of the n; 0 = all")
    given.add_argument("--runs", type=int, default=3)
    args = given.parse_args()
    torch.set_num_threads(1)
    keys = torch.nn.functional.normalize(
        torch.randn(args.n, args.d, generator=torch.Generator().manual_seed(0))
    )
    queries = keys[: args.queries or args.n]
    turns: dict[str, Callable[[], None]] = {
        "GEMM loop": lambda: gemm_loop(queries, keys),
        "attention": lambda: attention(queries, keys, args.k),
        **faiss_turn(queries, keys, args.k),
    }
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for run in range(args.runs + 1):
        for name, turn in turns.items():
            began = time.perf_counter()
            turn()
            if run:  # the first warms up
                seconds[name].append(time.perf_counter() - began)
    flops = 2.0 * len(queries) * args.n * args.d
    print(f"{len(queries):,} queries, {args.n:,} keys, d = {args.d}, k = {args.k}, float32, one core")
    print(f"{'':<12}{'seconds':>9}{'GFLOP/s':>9}{'to GEMM':>9}   each run")
    base = statistics.median(seconds["GEMM loop"])
    for name, each in seconds.items():
        middle = statistics.median(each)
        runs = ", ".join(f"{s:.2f}" for s in each)
        print(f"{name:<12}{middle:>9.2f}{flops / middle / 1e9:>9.1f}{middle / base:>9.2f}   {runs}")
    print(
        f"largest resident memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )
    return 0


def gemm_loop(queries: torch.Tensor, keys: torch.Tensor) -> None:
    for i in range(0, len(queries), QUERY_TILE):
        for j in range(0, len(keys), KEY_TILE):
            _ = queries[i : i + QUERY_TILE] @ keys[j : j + KEY_TILE].T


def attention(queries: torch.Tensor, keys: torch.Tensor, k: int) -> None:
    seen = nothing_seen(len(queries), k, like=queries)
    attend(seen, queries, Shard.of(keys), torch.arange(len(queries)), scale=queries.shape[1] ** -0.5)
    finish(seen)


def faiss_turn(queries: torch.Tensor, keys: torch.Tensor, k: int) -> dict[str, Callable[[], None]]:
    try:
        import faiss
    except ImportError:
        return {}
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(keys.shape[1])
    index.add(np.ascontiguousarray(keys.numpy()))
    asked = np.ascontiguousarray(queries.numpy())
    return {"faiss flat": lambda: index.search(asked, k + 1) and None}


if __name__ == "__main__":
    sys.exit(main())
