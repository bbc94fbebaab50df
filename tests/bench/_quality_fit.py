"""The trained attention of `bench quality`: heads on pairs, heads on baskets, by the recipe."""

import numpy as np
import torch
from scipy import sparse

from basketlens.evaluate.models import Fitted
from basketlens.finetune.basket_training import BasketOptions, train_baskets
from basketlens.finetune.heads import HeadOptions, projections
from basketlens.finetune.loop import Schedule
from basketlens.finetune.pair_training import PairOptions, train_pairs
from basketlens.finetune.sampling import KeyOptions
from basketlens.shopping import Baskets

HEADS = HeadOptions(
    width=192,
    bias_width=64,
    initial_scale=4.0,
    min_purchases=5,
    residual_dropout=0.3,
    bias_dropout=0.1,
    ridge=1e-3,
)
KEYS = KeyOptions(always=1500, share=0.25)
ON_PAIRS = Schedule(
    steps=630,
    rows=384,
    learning_rate=2e-3,
    warmup=0.05,
    weight_decay=0.01,
    clip=1.0,
    check_every=630,
    patience=1,
)
ON_BASKETS = ON_PAIRS._replace(steps=960, rows=512, check_every=960)


def fit(
    vectors: np.ndarray,
    train: Baskets,
    counts: sparse.csr_array,
    purchases: np.ndarray,
    is_new: np.ndarray,
    seed: int,
) -> Fitted:
    """See `Fit`; new items are known by their `purchases` of 0."""
    torch.set_num_threads(1)
    of_pairs = train_pairs(
        vectors, counts, purchases, PairOptions(HEADS, KEYS, ON_PAIRS, 1024), seed=seed, device="cpu"
    )
    of_baskets = train_baskets(
        vectors,
        train.held,
        purchases,
        BasketOptions(HEADS, KEYS, ON_BASKETS, 0.1, 0.6, 4096),
        seed=seed,
        device="cpu",
    )
    return Fitted(projections(of_pairs, vectors), projections(of_baskets, vectors))
