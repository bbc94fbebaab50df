"""Attention of one item: trained on which items are bought together."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from basketlens.errors import InputError
from basketlens.finetune.catalogue import Catalogue, Wanted
from basketlens.finetune.checkpoint import Checkpoint
from basketlens.finetune.further_names import FurtherNames
from basketlens.finetune.heads import HeadOptions, Heads, new_heads
from basketlens.finetune.loop import Progress, Schedule, train
from basketlens.finetune.ranks import ALONE, Ranks
from basketlens.finetune.sampling import KeyOptions, Keys, Numbers, entries


class PairOptions(NamedTuple):
    """How attention of items is trained."""

    heads: HeadOptions
    keys: KeyOptions
    schedule: Schedule
    held_out_rows: int  # most rows that held-out loss is taken over, drawn by seed


def train_pairs(
    vectors: npt.NDArray[np.float32],
    counts: sparse.csr_array,
    purchases: Numbers,
    options: PairOptions,
    *,
    seed: int,
    device: str,
    held_out: sparse.csr_array | None = None,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Progress], None] | None = None,
    further: FurtherNames | None = None,
    ranks: Ranks = ALONE,
) -> Heads:
    """Heads whose softmax over the catalogue is the share n_ij / sum_j n_ij of item i's co-purchases.

    A row counts by the square root of its co-purchases: neither do the few best sellers decide alone, nor do rows
    that are known by a handful of baskets.  Items that were not bought are in no denominator.

    Args:
        vectors: (n, d), of L2 norm 1.
        counts: (n, n) training baskets that hold both, nothing on the diagonal.
        purchases: (n,) training baskets that hold each item.
        options: of the training.
        seed: of first weights and of all draws; the same one gives the same heads on the same machine.
        device: `cpu` or `cuda:<n>`.
        held_out: (n, n) counts of later baskets, to stop by.
        checkpoint: where to save, and to go on from.
        on_step: told after every step.
        further: other names of the items, that steps read now and then; held-out loss never does.
        ranks: the processes that train these heads together, each given the same arguments.

    Raises:
        InputError: no two items were bought together, or too few baskets, or a training that diverges.
        SettingsError: the checkpoint is of another training.
    """
    rows = rows_of(counts, purchases)
    if not len(rows):
        raise InputError(
            f"No two items were bought together in training, so there is nothing to learn of {len(purchases)} items.\n"
            "  Wanted: baskets of two items or more\n  Next: more weeks of receipts, or finetune.enabled=false"
        )
    heads = ranks.as_first(new_heads(vectors, purchases, options.heads, seed=seed).to(device))
    catalogue = Catalogue.of(heads, vectors, purchases, options.keys, options.heads, further)

    def step_loss(heads: Heads, draw: np.random.Generator) -> Tensor:
        at = draw.choice(rows, min(options.schedule.rows, len(rows)), replace=False)
        return pair_loss(heads, catalogue, catalogue.some_keys(draw), counts, at, draw, ranks)

    later = (
        LaterPairs(catalogue, held_out, purchases, options.held_out_rows, seed)
        if held_out is not None
        else None
    )
    return train(
        heads, step_loss, options.schedule,
        seed=seed, held_out_loss=later.loss if later else None, checkpoint=checkpoint, on_step=on_step, ranks=ranks,
    )  # fmt: skip


class LaterPairs:
    """Loss of rows of later baskets over all keys; the same rows whenever it is asked for."""

    def __init__(
        self, catalogue: Catalogue, counts: sparse.csr_array, purchases: Numbers, most: int, seed: int
    ) -> None:
        rows = rows_of(counts, purchases)
        self.rows = np.random.default_rng(seed).permutation(rows)[:most]
        self.catalogue, self.counts, self.keys = catalogue, counts, catalogue.all_keys()

    @torch.no_grad()
    def loss(self, heads: Heads) -> float:
        """The loss, nats, of these heads; nothing is hidden from them."""
        total = weight = 0.0
        step = self.catalogue.rows_at_once()
        for start in range(0, len(self.rows), step):
            rows = self.rows[start : start + step]
            of_rows = float(np.sqrt(_totals(self.counts, rows)).sum())
            total += of_rows * float(pair_loss(heads, self.catalogue, self.keys, self.counts, rows, None))
            weight += of_rows
        return total / max(weight, 1e-12)


def rows_of(counts: sparse.csr_array, purchases: Numbers) -> Numbers:
    """Items that were bought in training and have co-purchases."""
    return np.flatnonzero((np.diff(counts.indptr) > 0) & (purchases > 0))


def _totals(counts: sparse.csr_array, rows: Numbers) -> npt.NDArray[np.float64]:
    return np.asarray(counts[rows].sum(axis=1, dtype=np.float64))


def pair_loss(
    heads: Heads,
    catalogue: Catalogue,
    keys: Keys,
    counts: sparse.csr_array,
    rows: Numbers,
    draw: np.random.Generator | None,
    ranks: Ranks = ALONE,
) -> Tensor:
    """The loss of this process's part of the rows; residuals and biases dropped at random where a generator is given."""
    at, partners, together = entries(counts, rows)
    totals = np.bincount(at, together, minlength=len(rows))
    shares = (together / totals[at]).astype(np.float32)
    itself = np.arange(len(rows))
    weights = np.sqrt(totals).astype(np.float32)
    wanted = Wanted(at, partners, shares, itself, rows, weights)
    part = ranks.part(len(rows))
    queries = catalogue.queries(heads, rows, draw, part)
    return catalogue.loss(heads, queries, keys, wanted.part(part), draw) * ranks.share(weights)
