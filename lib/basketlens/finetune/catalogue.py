"""The catalogue in the memory of a training: whitened names, keys to sample, and the loss of queries against them."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from basketlens.finetune.further_names import FurtherNames, FurtherText
from basketlens.finetune.heads import HeadOptions, Heads
from basketlens.finetune.loss import row_loss
from basketlens.finetune.sampling import KeyOptions, KeyPool, Keys, Numbers, draw_keys, key_pool, places

_ALL = slice(None)
_CELLS = 1 << 23  # scores at once when all keys take part: 32 MiB


class Wanted(NamedTuple):
    """What r rows of queries should predict, as sparse entries; columns are numbers of items."""

    target_rows: Numbers
    target_items: Numbers
    targets: npt.NDArray[np.float32]  # shares of the row
    hidden_rows: Numbers  # entries outside the softmax
    hidden_items: Numbers
    weights: npt.NDArray[np.float32]  # (r,)

    def part(self, rows: slice) -> "Wanted":
        """Some of the rows."""
        targets, hidden = (
            (at >= rows.start) & (at < rows.stop) for at in (self.target_rows, self.hidden_rows)
        )
        return Wanted(
            self.target_rows[targets] - rows.start, self.target_items[targets], self.targets[targets],
            self.hidden_rows[hidden] - rows.start, self.hidden_items[hidden], self.weights[rows],
        )  # fmt: skip


class Catalogue(NamedTuple):
    """n items on the training's device."""

    text: Tensor  # (n, d) whitened name vectors; or of the items that `place` knows
    pool: KeyPool  # items that were bought
    residual_dropout: float  # 0..1
    bias_dropout: float  # 0..1
    further: FurtherText | None = None  # other names, read by chance in a step
    place: Tensor | None = None  # (n,) int64, where each item is in `text`; None: at its number

    @classmethod
    def of(
        cls,
        heads: Heads,
        vectors: npt.NDArray[np.float32],
        purchases: Numbers,
        keys: KeyOptions,
        options: HeadOptions,
        further: FurtherNames | None = None,
    ) -> Self:
        """The catalogue of items with these name vectors (n, d) and training purchases (n,), and further names."""
        device, others = heads.mean.device, None
        with torch.no_grad():
            text = heads.whitened(torch.from_numpy(vectors).to(device))
            if further and further.share:
                of_others = heads.whitened(torch.from_numpy(further.vectors).to(device))
                others = FurtherText(of_others, torch.from_numpy(further.at).to(device), further.share)
        return cls(text, key_pool(purchases, keys), options.residual_dropout, options.bias_dropout, others)

    def all_keys(self) -> Keys:
        """All keys, none of them sampled."""
        items = np.concatenate([self.pool.always, self.pool.rest])
        return Keys(items, np.zeros(len(items), dtype=np.float32), places(items, len(self.text)))

    def some_keys(self, draw: np.random.Generator) -> Keys:
        """The keys of a step."""
        return draw_keys(self.pool, len(self.text), draw)

    def queries(
        self, heads: Heads, items: Numbers, draw: np.random.Generator | None, part: slice | Numbers = _ALL
    ) -> Tensor:
        """Queries (r, w) of a part of the items, residuals dropped at random where a generator is given.

        Chance is drawn for all the items, whichever part is asked for.
        """
        at = self._here(items)
        text = self._text(at, draw)[part]
        return heads.queries(text, at[part], self._shown(heads, at, self.residual_dropout, draw)[part])

    def loss(
        self, heads: Heads, queries: Tensor, keys: Keys, wanted: Wanted, draw: np.random.Generator | None
    ) -> Tensor:
        """The loss (`row_loss`) of queries (r, w) against the keys; residuals and biases dropped as in `queries`."""
        at = self._here(keys.items)
        text = self._text(at, draw)
        vectors = heads.keys(text, at, self._shown(heads, at, self.residual_dropout, draw))
        bias = heads.bias(text, at, self._shown(heads, at, self.bias_dropout, draw))
        scores = (queries @ vectors.T + bias).float()  # (r, k)
        targets = np.zeros(scores.shape, dtype=np.float32)
        place = keys.place[wanted.target_items]
        is_in = place >= 0
        targets[wanted.target_rows[is_in], place[is_in]] = wanted.targets[is_in]
        place = keys.place[wanted.hidden_items]
        is_in = place >= 0
        left_out = (self._here(wanted.hidden_rows[is_in]), self._here(place[is_in]))
        of_rows = self._here(targets), self._here(wanted.weights), self._here(keys.correction)
        return row_loss(scores, *of_rows, left_out)

    def rows_at_once(self) -> int:
        """Rows whose scores against all keys fit the memory that is meant for them."""
        return max(1, _CELLS // max(len(self.pool.always) + len(self.pool.rest), 1))

    def _text(self, at: Tensor, draw: np.random.Generator | None) -> Tensor:
        """Whitened vectors (r, d) of items; where a generator is given, some by further names."""
        text = self.text[at if self.place is None else self.place[at]]
        return self.further.read(text, at, draw) if self.further and draw else text

    def _shown(self, heads: Heads, at: Tensor, dropout: float, draw: np.random.Generator | None) -> Tensor:
        """1 for items of which what is learned takes part, else 0."""
        known = heads.is_known[at].float()
        if draw is None:
            return known
        return known * self._here(draw.random(len(at), dtype=np.float32) >= dropout)

    def _here(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.text.device)
