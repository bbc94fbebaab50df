"""The encoder trained with the heads: a step reads the names of its rows and keys, and all gradients reach it."""

import copy
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor, nn

from basketlens.errors import InputError
from basketlens.finetune.catalogue import Catalogue
from basketlens.finetune.checkpoint import Checkpoint
from basketlens.finetune.encoding import NameEncoder, Tokens
from basketlens.finetune.heads import Heads
from basketlens.finetune.loop import Group, Progress, Schedule, train
from basketlens.finetune.pair_training import LaterPairs, PairOptions, pair_loss, rows_of, train_pairs
from basketlens.finetune.sampling import Keys, Numbers, chances_of, draw_by_chance, places
from basketlens.shopping import Baskets, copurchases, purchases_of

SCRATCH: Final = "scratch"


class EncoderOptions(NamedTuple):
    """How an encoder is trained."""

    start: str  # `pretrained`, or `scratch`: weights drawn anew
    pairs: PairOptions  # of the heads that it begins with; their keys and held-out rows are also its own
    schedule: Schedule  # of encoder and heads together; the rate is that of the heads
    learning_rate: float  # of the encoder
    encoded_keys: (
        int  # names among a step's keys that are read anew beside those of its rows; they bound the memory
    )
    residual_dropout: float  # 0..1, how often an item is its name alone while the encoder learns
    held_out: float  # 0..1, share of the days, the last ones, that early stopping looks at


class Tuned(NamedTuple):
    """What training made of an encoder."""

    vectors: npt.NDArray[np.float32]  # (n, d) of all names
    before: float  # held-out loss, nats, of heads on the first vectors
    after: float  # and with the encoder trained; no larger
    steps: int  # taken; the weights kept are those of the best look

    def facts(self) -> dict[str, float]:
        """What is said of it beside the model."""
        return {"encoder_steps": self.steps, "encoder_before": self.before, "encoder_after": self.after}


class Both(nn.Module):
    """Encoder and heads in one training."""

    def __init__(self, encoder: NameEncoder, heads: Heads) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, heads

    def text(self, tokens: Tokens, items: Numbers) -> Tensor:
        """Whitened vectors (r, d) of items, r at least 1, with gradients."""
        vectors = self.encoder([tokens[i] for i in items])
        with torch.autocast(vectors.device.type, enabled=False):
            return self.heads.whitened(vectors.float())


class Steps(NamedTuple):
    """What steps draw from."""

    catalogue: Catalogue  # of n items
    tokens: Tokens  # of their names
    counts: sparse.csr_array  # (n, n)
    rows: Numbers  # that have co-purchases
    most_rows: int  # of a step
    chances: npt.NDArray[np.float64]  # (n,) to be drawn as a key

    def loss(self, both: Both, draw: np.random.Generator) -> Tensor:
        """The loss of a step: its rows against each other and the keys that are drawn beside them."""
        taken = min(self.most_rows, len(self.rows))
        at = draw.choice(self.rows, taken, replace=False)
        items = np.union1d(at, draw_by_chance(self.chances, draw))
        missed = 1 - self.chances[items]
        missed[np.isin(items, self.rows)] *= 1 - taken / len(self.rows)
        correction = -np.log1p(-missed).astype(np.float32)
        keys = Keys(items, correction, places(items, len(self.tokens)))
        text = both.text(self.tokens, items)
        catalogue = self.catalogue._replace(text=text, place=torch.from_numpy(keys.place).to(text.device))
        return pair_loss(both.heads, catalogue, keys, self.counts, at, draw)


class _HeldOut:
    """What a look asks."""

    def __init__(self, pairs: LaterPairs, tokens: Tokens, bought: Numbers) -> None:
        self.pairs = pairs
        self.tokens = [tokens[i] for i in bought]
        self.place = torch.from_numpy(places(bought, len(tokens))).to(pairs.catalogue.text.device)

    @torch.no_grad()
    def loss(self, both: Both) -> float:
        """The loss, nats, with every name that was bought read anew."""
        vectors = torch.from_numpy(both.encoder.vectors(self.tokens)).to(self.place.device)
        text = both.heads.whitened(vectors)
        self.pairs.catalogue = self.pairs.catalogue._replace(text=text, place=self.place)
        return self.pairs.loss(both.heads)


def tune_encoder(
    encoder: NameEncoder,
    names: Sequence[str],
    baskets: Baskets,
    options: EncoderOptions,
    *,
    seed: int,
    device: str,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Tuned:
    """Train the encoder in place, so that heads on its vectors predict co-purchases better.

    Heads are trained on the vectors as they are (random heads would spoil the encoder first), then both together by
    the loss of `train_pairs`.  The keys of a step are its rows and others, drawn by the square root of their
    purchases; all their names are read in the step, and weighted by the chance that they were drawn.  Whitening
    stays as it was fitted on the first vectors.  Where no look is better than the first heads, the encoder is left
    as it started.  Dropout inside it is off: what is served has none, and early stopping holds it back.

    Args:
        encoder: in float32, without dropout.
        names: of n items.
        baskets: of the past alone; the last days of them are held out.
        options: of the training.
        seed: of weights and draws; the same one gives the same encoder on the same machine.
        device: `cpu` or `cuda:<n>`.
        checkpoint: where to save, and to go on from.
        on_step: told after every step.

    Raises:
        InputError: a part has no two items that were bought together, or the training diverges.
        SettingsError: the checkpoint is of another training.

    Source: first heads, then all: Kumar et al. 2022, "Fine-tuning can distort pretrained features", section 4.
    """
    if options.start == SCRATCH:
        encoder.draw_weights(seed)
    encoder.to(device)
    untouched = copy.deepcopy(encoder.state_dict())
    past, later = _cut(baskets, options.held_out)
    counts, purchases, tokens = copurchases(past), purchases_of(past), encoder.tokenized(names)
    vectors = encoder.vectors(tokens)
    first = checkpoint._replace(folder=checkpoint.folder / "heads") if checkpoint else None
    heads = train_pairs(vectors, counts, purchases, options.pairs, seed=seed, device=device, checkpoint=first)
    shape = options.pairs.heads._replace(residual_dropout=options.residual_dropout)
    catalogue = Catalogue.of(heads, vectors, purchases, options.pairs.keys, shape)
    chances = chances_of(np.sqrt(purchases), options.encoded_keys)
    steps = Steps(catalogue, tokens, counts, rows_of(counts, purchases), options.schedule.rows, chances)
    asked = LaterPairs(catalogue, copurchases(later), purchases, options.pairs.held_out_rows, seed)
    before = asked.loss(heads)
    curve: list[Progress] = []
    train(
        Both(encoder, heads), steps.loss, options.schedule,
        seed=seed, held_out_loss=_HeldOut(asked, tokens, np.flatnonzero(purchases)).loss, checkpoint=checkpoint,
        on_step=_told(curve, on_step), groups=_rates(encoder, heads, options),
    )  # fmt: skip
    after = min(report.held_out for report in curve if report.held_out is not None)
    if after < before:
        return Tuned(encoder.vectors(tokens), before, after, len(curve))
    encoder.load_state_dict(untouched)
    return Tuned(vectors, before, before, len(curve))


def _rates(encoder: NameEncoder, heads: Heads, options: EncoderOptions) -> list[Group]:
    """The encoder at its rate, the heads at theirs."""
    return [
        Group(list(encoder.parameters()), options.learning_rate),
        Group(list(heads.parameters()), options.schedule.learning_rate),
    ]


def _told(curve: list[Progress], on_step: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
    def tell(report: Progress) -> None:
        curve.append(report)
        if on_step:
            on_step(report)

    return tell


def _cut(baskets: Baskets, share: float) -> tuple[Baskets, Baskets]:
    """Baskets to learn from, and those of the last days, which have this share of the days from first to last."""
    first, last = int(baskets.days.min()), int(baskets.days.max())
    is_late = baskets.days > last - max(1, int(share * (last - first + 1)))
    past, later = (
        Baskets(baskets.held[mask], baskets.customers[mask], baskets.days[mask])
        for mask in (~is_late, is_late)
    )
    if not len(rows_of(copurchases(later), purchases_of(past))):
        raise InputError(
            f"The encoder cannot be trained: {len(past.days):,} baskets to learn from, and {len(later.days):,} of the last days"
            " to stop by, have no items in common that were bought with others.\n"
            "  Next: receipts of more days, a larger finetune.encoder.held_out, or finetune.scope=heads"
        )
    return past, later
