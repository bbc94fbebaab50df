"""Attention of a basket: the mean query of what is visible, trained to predict what is hidden."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor
from torch.nn.functional import embedding_bag

from basketlens.errors import InputError
from basketlens.finetune.catalogue import Catalogue, Wanted
from basketlens.finetune.checkpoint import Checkpoint
from basketlens.finetune.further_names import FurtherNames
from basketlens.finetune.heads import HeadOptions, Heads, new_heads
from basketlens.finetune.loop import Progress, Schedule, train
from basketlens.finetune.sampling import KeyOptions, Keys, Numbers, entries


class BasketOptions(NamedTuple):
    """How attention of baskets is trained."""

    heads: HeadOptions
    keys: KeyOptions
    schedule: Schedule
    hidden_low: float  # 0..1, smallest share of a basket that is hidden
    hidden_high: float  # hidden_low..1, largest one; one item is hidden at least, and one is visible
    held_out_rows: int  # most baskets that held-out loss is taken over, drawn by seed


def train_baskets(
    vectors: npt.NDArray[np.float32],
    held: sparse.csr_array,
    purchases: Numbers,
    options: BasketOptions,
    *,
    seed: int,
    device: str,
    held_out: sparse.csr_array | None = None,
    start: Heads | None = None,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Progress], None] | None = None,
    further: FurtherNames | None = None,
) -> Heads:
    """Heads whose mean query over what a basket shows predicts what else is in it.

    The score of item j for a basket is (mean over visible i of q_i) . k_j + b_j, its softmax is over all items that
    were bought in training and are not visible.  Baskets of one item teach nothing and are left out.

    Args:
        vectors: (n, d), of L2 norm 1.
        held: (b, n) training baskets, 1 = holds the item.
        purchases: (n,) of them hold each item.
        options: of the training.
        seed: of first weights and of all draws; the same one gives the same heads on the same machine.
        device: `cpu` or `cuda:<n>`.
        held_out: (v, n) later baskets, to stop by.
        start: heads of the same items and shape to begin with, left as they are; None: new ones.
        checkpoint: where to save, and to go on from.
        on_step: told after every step.
        further: other names of the items, that steps read now and then; held-out loss never does.

    Raises:
        InputError: no basket has two items, or too few baskets, or a training that diverges.
        SettingsError: the checkpoint is of another training.
    """
    rows = _rows(held)
    if not len(rows):
        raise InputError(
            f"None of the {held.shape[0]} training baskets has two items, so none can be completed.\n"
            "  Next: more weeks of receipts, or finetune.enabled=false"
        )
    heads = new_heads(vectors, purchases, options.heads, seed=seed)
    if start is not None:
        heads.load_state_dict(start.state_dict())
    heads = heads.to(device)
    catalogue = Catalogue.of(heads, vectors, purchases, options.keys, options.heads, further)

    def step_loss(heads: Heads, draw: np.random.Generator) -> Tensor:
        chosen = draw.choice(rows, min(options.schedule.rows, len(rows)), replace=False)
        question = _question(held, chosen, options, draw)
        return _loss(heads, catalogue, catalogue.some_keys(draw), question, draw)

    later = _Later(catalogue, held_out, options, seed) if held_out is not None else None
    return train(
        heads, step_loss, options.schedule,
        seed=seed, held_out_loss=later.loss if later else None, checkpoint=checkpoint, on_step=on_step,
    )  # fmt: skip


class _Question(NamedTuple):
    """Baskets cut in two."""

    rows: Numbers  # (x,) of the visible entries, ascending
    items: Numbers  # (x,)
    wanted: Wanted


class _Later:
    """Loss of later baskets over all keys; the same baskets, cut the same way, whenever it is asked for."""

    def __init__(
        self, catalogue: Catalogue, held: sparse.csr_array, options: BasketOptions, seed: int
    ) -> None:
        draw = np.random.default_rng(seed)
        rows = draw.permutation(_rows(held))[: options.held_out_rows]
        step = catalogue.rows_at_once()
        parts = [rows[at : at + step] for at in range(0, len(rows), step)]
        self.sizes = [len(part) for part in parts]
        self.questions = [_question(held, part, options, draw) for part in parts]
        self.catalogue, self.keys = catalogue, catalogue.all_keys()

    @torch.no_grad()
    def loss(self, heads: Heads) -> float:
        losses = [float(_loss(heads, self.catalogue, self.keys, asked, None)) for asked in self.questions]
        return float(np.average(losses, weights=self.sizes)) if losses else 0.0


def _rows(held: sparse.csr_array) -> Numbers:
    return np.flatnonzero(np.diff(held.indptr) > 1)


def _question(
    held: sparse.csr_array, rows: Numbers, options: BasketOptions, draw: np.random.Generator
) -> _Question:
    """Hide a share of each of these baskets, which itself is drawn evenly between the bounds."""
    at, items, _ = entries(held, rows)
    sizes = np.bincount(at, minlength=len(rows))
    shares = draw.uniform(options.hidden_low, options.hidden_high, len(rows))
    hidden = np.clip(np.rint(shares * sizes), 1, sizes - 1).astype(np.int64)  # (r,)
    shuffled = np.lexsort((draw.random(len(at)), at))  # within each basket
    first = np.cumsum(sizes) - sizes
    is_hidden = np.empty(len(at), dtype=bool)
    is_hidden[shuffled] = np.arange(len(at)) - first[at] < hidden[at]
    targets = (1 / hidden[at[is_hidden]]).astype(np.float32)
    visible = at[~is_hidden], items[~is_hidden]
    weights = np.ones(len(rows), dtype=np.float32)
    return _Question(*visible, Wanted(at[is_hidden], items[is_hidden], targets, *visible, weights))


def _loss(
    heads: Heads, catalogue: Catalogue, keys: Keys, asked: _Question, draw: np.random.Generator | None
) -> Tensor:
    different, place = np.unique(asked.items, return_inverse=True)
    queries = catalogue.queries(heads, different, draw)
    starts = np.searchsorted(asked.rows, np.arange(len(asked.wanted.weights)))
    device = queries.device
    mean = embedding_bag(  # (r, w)
        torch.from_numpy(place).to(device), queries, torch.from_numpy(starts).to(device), mode="mean"
    )
    return catalogue.loss(heads, mean, keys, asked.wanted, draw)
