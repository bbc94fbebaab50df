"""`python -m tests.bench.link --root TABLES`: are `links` and `link_stats` what a dense float64 softmax gives?

Reads `items`, `products`, `embeddings`, `links` and `link_stats` below the root; exit status 1 when one differs.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd


def main(argv: Sequence[str] | None = None) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--root", required=True, help="folder of the tables")
    asked.add_argument("--level", default="name", choices=["name", "product"])
    asked.add_argument("--scale", type=float, help="factor before the softmax; default 1/sqrt(width)")
    asked.add_argument("--sample", type=int, default=200, help="items compared")
    asked.add_argument("--seed", type=int, default=0)
    args = asked.parse_args(argv)
    ids, vectors = items_of(args.root, args.level)
    chosen = np.sort(
        np.random.default_rng(args.seed).choice(len(ids), min(args.sample, len(ids)), replace=False)
    )
    links = pd.read_parquet(f"{args.root}/links").sort_values(["item_id", "rank"])
    stats = pd.read_parquet(f"{args.root}/link_stats").set_index("item_id")
    scale = args.scale or vectors.shape[1] ** -0.5
    wrong = compare(ids, vectors, chosen, links=links, stats=stats, scale=scale)
    print(
        f"{len(ids):,} items of {vectors.shape[1]} numbers, scale {scale:.6g}, {len(chosen)} compared, {len(links):,} links"
    )
    print(f"{'measure':<24}{'worst':>14}{'allowed':>12}   verdict")
    allowed = {"neighbours that differ": 0, "attention, relative": 1e-4, "log-sum-exp, relative": 1e-4}
    allowed |= {"top mass, relative": 1e-4, "entropy, relative": 1e-4, "NaN in the tables": 0}
    for name, limit in allowed.items():
        print(f"{name:<24}{wrong[name]:>14.3g}{limit:>12.3g}   {'ok' if wrong[name] <= limit else 'WRONG'}")
    return int(any(wrong[name] > limit for name, limit in allowed.items()))


def items_of(root: str, level: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids, ascending, and vectors (n, d) float64 of the items sold."""
    items = pd.read_parquet(f"{root}/items").query("level == @level and lines > 0")[["item_id"]]
    if level == "product":
        names = pd.read_parquet(f"{root}/products", columns=["product_id", "name_hash"])
        items = items.merge(names.rename(columns={"product_id": "item_id"}), on="item_id")
    else:
        items["name_hash"] = items["item_id"]
    embeddings = pd.read_parquet(f"{root}/embeddings", columns=["name_hash", "embedding"])
    joined = items.merge(embeddings, on="name_hash").sort_values("item_id")
    return joined["item_id"].to_numpy(), np.stack(joined["embedding"].to_list()).astype(np.float64)


def compare(ids, vectors, chosen, *, links, stats, scale) -> dict[str, float]:
    """Largest difference between the tables and the dense softmax, by measure."""
    by_item = {item: group for item, group in links.groupby("item_id")}
    worst = dict.fromkeys(
        ("attention, relative", "log-sum-exp, relative", "top mass, relative", "entropy, relative"), 0.0
    )
    differing = 0
    for i in chosen:
        scores = (vectors @ vectors[i]) * scale
        scores[i] = -np.inf
        largest = scores.max()
        log_sum_exp = largest + np.log(np.exp(scores - largest).sum())
        found = by_item[ids[i]]
        # Round-off of the oracle itself must not decide between equal vectors: ties go to the lower id.
        best = np.lexsort((ids, -np.round(scores, 13)))[: len(found)]
        differing += int((found["neighbor_id"].to_numpy() != ids[best]).sum())
        p = np.exp(scores - log_sum_exp)
        kept = p > 0
        row = stats.loc[ids[i]]
        pairs = {
            "attention, relative": (found["attention"].to_numpy(), p[best]),
            "log-sum-exp, relative": (row["log_sum_exp"], log_sum_exp),
            "top mass, relative": (row["top_mass"], p[best].sum()),
            "entropy, relative": (row["entropy"], -(p[kept] * np.log(p[kept])).sum()),
        }
        for name, (ours, theirs) in pairs.items():
            worst[name] = max(worst[name], float(np.abs(ours / theirs - 1).max()))
    nan = int(links[["score", "attention"]].isna().sum().sum() + stats.isna().sum().sum() * (len(ids) > 1))
    return {"neighbours that differ": differing, **worst, "NaN in the tables": nan}


if __name__ == "__main__":
    sys.exit(main())
