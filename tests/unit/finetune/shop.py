"""A small shop for tests: items of one kind are bought together, and their names are alike."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from basketlens.finetune.basket_training import BasketOptions
from basketlens.finetune.heads import HeadOptions
from basketlens.finetune.loop import Schedule
from basketlens.finetune.pair_training import PairOptions
from basketlens.finetune.sampling import KeyOptions
from basketlens.shopping import Baskets, copurchases, purchases_of

KINDS, ALIKE, WIDTH = 6, 8, 16


class Shop(NamedTuple):
    vectors: np.ndarray  # (48, 16)
    baskets: Baskets
    counts: sparse.csr_array
    purchases: np.ndarray


def shop(baskets=600, *, never=(), seed=0) -> Shop:
    """Baskets of three items of one kind and one of any; `never` are not bought."""
    draw = np.random.default_rng(seed)
    n = KINDS * ALIKE
    centres = draw.normal(size=(KINDS, WIDTH))
    vectors = np.repeat(centres, ALIKE, axis=0) + 0.3 * draw.normal(size=(n, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    held = np.zeros((baskets, n), dtype=np.float32)
    for row in held:
        kind = draw.integers(KINDS)
        row[kind * ALIKE + draw.choice(ALIKE, 3, replace=False)] = 1
        row[draw.integers(n)] = 1
    held[:, list(never)] = 0
    of = Baskets(sparse.csr_array(held), np.full(baskets, -1), np.arange(baskets, dtype=np.int32))
    return Shop(vectors.astype(np.float32), of, copurchases(of), purchases_of(of))


def kind_of(item: int) -> int:
    return item // ALIKE


HEADS = HeadOptions(
    width=8,
    bias_width=8,
    initial_scale=4.0,
    min_purchases=5,
    residual_dropout=0.3,
    bias_dropout=0.1,
    ridge=1e-3,
)
KEYS = KeyOptions(always=12, share=0.5)
SCHEDULE = Schedule(
    steps=60, rows=24, learning_rate=2e-2, warmup=0.1, weight_decay=0.01, clip=1.0, check_every=10, patience=6
)
PAIRS = PairOptions(HEADS, KEYS, SCHEDULE, held_out_rows=100)
BASKETS = BasketOptions(HEADS, KEYS, SCHEDULE, hidden_low=0.1, hidden_high=0.6, held_out_rows=100)
