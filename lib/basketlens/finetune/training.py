"""One task of `finetune`: rows in, a trained model or a table of figures out."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from safetensors.torch import save
from scipy import sparse

from basketlens import columns as c
from basketlens.evaluate.evaluation import EvaluateOptions, Fit, evaluate
from basketlens.evaluate.models import Fitted
from basketlens.evaluate.split import Cuts
from basketlens.finetune.augmenting import AugmentOptions, augmented
from basketlens.finetune.basket_training import BasketOptions, train_baskets
from basketlens.finetune.checkpoint import Checkpoint, digest_of
from basketlens.finetune.encoder_training import EncoderOptions, Tuned, tune_encoder
from basketlens.finetune.encoder_weights import check_size, weight_parts
from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.fields import ENCODER, FACTS, HEADS, MOST_ITEMS, PAYLOAD, TABLE, Task
from basketlens.finetune.heads import Heads, projections
from basketlens.finetune.loop import Progress
from basketlens.finetune.pair_training import PairOptions, train_pairs
from basketlens.finetune.ranks import ALONE, Ranks
from basketlens.finetune.reading import read_shopping
from basketlens.settings import EmbedSettings
from basketlens.shopping import Baskets, Items, copurchases, purchases_of

_PAGE = 4096  # rows of an Arrow batch given back


class TrainingOptions(NamedTuple):
    """Everything that a task needs to know beside its rows."""

    pairs: PairOptions
    baskets: BasketOptions
    augment: AugmentOptions
    encoder: EncoderOptions | None  # None: heads alone, on vectors as they are
    embed: EmbedSettings  # which encoder that is; it also reads further names
    evaluate: EvaluateOptions
    validation: float  # share of the days
    test: float
    checkpoints: Path | None  # where trainings save their state
    checkpoint_every: int  # steps
    identity: Mapping[str, str]  # settings that a state belongs to
    keeps_baskets: bool  # also train attention of baskets to keep: `recommendations` use it where it won


def training_pages(
    batches: Iterable[pa.RecordBatch],
    task: Task,
    options: TrainingOptions,
    *,
    device: str,
    ranks: Ranks = ALONE,
) -> Iterator[pa.RecordBatch]:
    """Rows of `evaluation`, or of `projections`, `basket_projections`, the heads and, where it was trained, the encoder.

    Of processes that train together the first gives them.

    Raises:
        InputError: there is too little to train on, or a part has no baskets.
        LimitError: the encoder is too large to be trained.
    """
    torch.set_float32_matmul_precision("highest")
    items, baskets = read_shopping(batches)
    if task.is_evaluation:
        yield from _evaluated(items, baskets, task.seed, options, device, ranks)
        return
    of_encoder: dict[str, Any] = {}
    encoder = NameEncoder.load(options.embed) if options.encoder else None
    if encoder:
        check_size(encoder.model)
        tuned = tuned_by(options, encoder, items, baskets, seed=task.seed, device=device)
        items, of_encoder = items._replace(vectors=tuned.vectors), tuned.facts()
        for number, part in enumerate(weight_parts(encoder.model)):
            yield _rows(ENCODER, 1, {PAYLOAD: [part], FACTS: [json.dumps({"part": number})]})
    losses: list[Progress] = []
    purchases = purchases_of(baskets)
    more = augmented(
        items, baskets.held, copurchases(baskets), purchases, options.augment,
        lambda: encoder or NameEncoder.load(options.embed), seed=task.seed,
    )  # fmt: skip
    heads = train_pairs(
        items.vectors, more.counts, purchases, options.pairs,
        seed=task.seed, device=device, on_step=losses.append, further=more.further, ranks=ranks,
        checkpoint=_checkpoint(options, "pairs", task.seed, items.vectors, *more.data()),
    )  # fmt: skip
    facts = {
        "items": len(items.ids), "items_sold": int((purchases > 0).sum()), "baskets": len(baskets.days),
        "steps": len(losses), "first_loss": losses[0].loss, "last_loss": losses[-1].loss, "device": device,
        "first_day": int(baskets.days.min()), "last_day": int(baskets.days.max()), "processes": ranks.size,
        **more.facts(),
        **of_encoder,
    }  # fmt: skip
    if ranks.is_first:
        yield _heads_row(heads, facts)
        yield from _projected(items, heads, table="projections")
    if options.keeps_baskets:
        of_baskets = train_baskets(
            items.vectors, more.held, purchases, options.baskets, seed=task.seed, device=device,
            further=more.further, ranks=ranks,
            checkpoint=_checkpoint(options, "baskets", task.seed, items.vectors, *more.data()),
        )  # fmt: skip
        if ranks.is_first:
            yield from _projected(items, of_baskets, table="basket_projections")


def cuts_of(days: npt.NDArray[np.int32], *, validation: float, test: float) -> Cuts:
    """First days of validation and test, whole days, so that they have these shares of the days from first to last."""
    span = int(days.max()) - int(days.min()) + 1
    return Cuts.before_end(
        days, validation_days=max(1, int(validation * span)), test_days=max(1, int(test * span))
    )


def _checkpoint(options: TrainingOptions, name: str, seed: int, *data: npt.NDArray[Any]) -> Checkpoint | None:
    """Where a training of these data saves its state: a folder of its own, so that trainings do not meet."""
    if options.checkpoints is None:
        return None
    digest = digest_of(*data)
    identity: dict[str, str | int | float] = {
        **options.identity,
        "training": name,
        "seed": seed,
        "data": digest,
    }
    return Checkpoint(
        options.checkpoints / f"{name}-{seed}-{digest[:16]}", identity, options.checkpoint_every
    )


def tuned_by(
    options: TrainingOptions,
    encoder: NameEncoder,
    items: Items,
    baskets: Baskets,
    *,
    seed: int,
    device: str,
    on_step: Callable[[Progress], None] | None = None,
) -> Tuned:
    """Train the encoder, in place, on these baskets alone; `options.encoder` must be there."""
    assert options.encoder is not None
    weights = [weight.numpy() for weight in encoder.model.state_dict().values()]
    data = (
        np.array(items.names, dtype=str),
        baskets.held.indices,
        baskets.held.indptr,
        baskets.days,
        *weights,
    )
    return tune_encoder(
        encoder, list(items.names), baskets, options.encoder,
        seed=seed, device=device, on_step=on_step, checkpoint=_checkpoint(options, "encoder", seed, *data),
    )  # fmt: skip


class _Helped(Exception):
    """The end of a process that helps another one: what was trained is measured there."""


def fit_by(options: TrainingOptions, device: str, items: Items, ranks: Ranks = ALONE) -> Fit:
    """What `evaluate` trains with, of items whose vectors it gives."""

    def fit(
        vectors: npt.NDArray[np.float32],
        train: Baskets,
        counts: sparse.csr_array,
        purchases: npt.NDArray[np.int64],
        is_new: npt.NDArray[np.bool_],
        seed: int,
    ) -> Fitted:
        del is_new  # they are known by their purchases of 0
        encoder = NameEncoder.load(options.embed) if options.encoder else None
        if encoder:
            vectors = tuned_by(options, encoder, items, train, seed=seed, device=device).vectors
        more = augmented(
            items._replace(vectors=vectors), train.held, counts, purchases, options.augment,
            lambda: encoder or NameEncoder.load(options.embed), seed=seed,
        )  # fmt: skip
        data = (vectors, *more.data())
        of_pairs = train_pairs(
            vectors, more.counts, purchases, options.pairs, seed=seed, device=device,
            further=more.further, ranks=ranks, checkpoint=_checkpoint(options, "pairs", seed, *data),
        )  # fmt: skip
        of_baskets = train_baskets(
            vectors, more.held, purchases, options.baskets, seed=seed, device=device,
            further=more.further, ranks=ranks, checkpoint=_checkpoint(options, "baskets", seed, *data),
        )  # fmt: skip
        if not ranks.is_first:
            raise _Helped
        return Fitted(projections(of_pairs, vectors), projections(of_baskets, vectors))

    return fit


def _evaluated(
    items: Items, baskets: Baskets, seed: int, options: TrainingOptions, device: str, ranks: Ranks
) -> Iterator[pa.RecordBatch]:
    # Names that nobody ever bought are no one's answer, and would only stand in the way of those that are.
    sold = purchases_of(baskets) > 0
    items = Items(items.ids[sold], items.vectors[sold], items.names[sold])
    baskets = baskets._replace(held=sparse.csr_array(baskets.held[:, sold]))
    cuts = cuts_of(baskets.days, validation=options.validation, test=options.test)
    try:
        rows = evaluate(items, baskets, cuts, fit_by(options, device, items, ranks), options.evaluate, seed)
    except _Helped:
        return
    names = (c.METHOD, c.TASK, c.METRIC, c.CLASS, c.SEED, c.VALUE, c.LOW, c.HIGH)
    yield _rows("evaluation", len(rows), dict(zip(names, zip(*rows, strict=True), strict=True)))


def _heads_row(heads: Heads, facts: dict[str, Any]) -> pa.RecordBatch:
    """The model; without its weights where a cell could not hold them, for `projections` has what others need."""
    tensors = {name: value.contiguous() for name, value in heads.cpu().state_dict().items()}
    if facts["items"] > MOST_ITEMS:
        return _rows(HEADS, 1, {FACTS: [json.dumps(facts)]})
    return _rows(HEADS, 1, {PAYLOAD: [save(tensors)], FACTS: [json.dumps(facts)]})


def _projected(items: Items, heads: Heads, *, table: str) -> Iterator[pa.RecordBatch]:
    found = projections(heads, items.vectors)
    for start in range(0, len(items.ids), _PAGE):
        part = slice(start, start + _PAGE)
        columns = {
            c.ITEM_ID: items.ids[part].tolist(),
            c.QUERY: _lists(found.queries[part]),
            c.KEY: _lists(found.keys[part]),
            c.BIAS: found.bias[part],
        }
        yield _rows(table, len(items.ids[part]), columns)


def _lists(matrix: npt.NDArray[np.float32]) -> pa.Array:
    starts = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    return pa.ListArray.from_arrays(starts, np.ascontiguousarray(matrix).ravel())


PAGES = pa.schema({
    TABLE: pa.string(), c.METHOD: pa.string(), c.TASK: pa.string(), c.METRIC: pa.string(), c.CLASS: pa.string(),
    c.SEED: pa.int32(), c.VALUE: pa.float64(), c.LOW: pa.float64(), c.HIGH: pa.float64(),
    c.ITEM_ID: pa.string(), c.QUERY: pa.list_(pa.float32()), c.KEY: pa.list_(pa.float32()), c.BIAS: pa.float64(),
    PAYLOAD: pa.binary(), FACTS: pa.string(),
})  # fmt: skip


def _rows(table: str, count: int, columns: dict[str, Any]) -> pa.RecordBatch:
    """Rows of one table; columns of the others are null."""
    found = {TABLE: [table] * count, **columns}
    return pa.RecordBatch.from_pydict(
        {
            of.name: pa.array(found[of.name], of.type) if of.name in found else pa.nulls(count, of.type)
            for of in PAGES
        },
        PAGES,
    )
