"""The catalogue in the memory of a training: whitened names, keys to sample, and the loss of queries against them."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from basketlens.finetune.heads import Heads
from basketlens.finetune.loss import row_loss
from basketlens.finetune.sampling import KeyOptions, KeyPool, Keys, Numbers, draw_keys, key_pool, places

_CELLS = 1 << 23  # scores at once when all keys take part: 32 MiB


class Wanted(NamedTuple):
    """What r rows of queries should predict, as sparse entries; columns are numbers of items."""

    target_rows: Numbers
    target_items: Numbers
    targets: npt.NDArray[np.float32]  # shares of the row
    hidden_rows: Numbers  # entries outside the softmax
    hidden_items: Numbers
    weights: npt.NDArray[np.float32]  # (r,)


class Catalogue(NamedTuple):
    """n items on the training's device."""

    text: Tensor  # (n, d) whitened name vectors
    pool: KeyPool  # items that were bought
    dropout: float  # 0..1, of residuals

    @classmethod
    def of(
        cls,
        heads: Heads,
        vectors: npt.NDArray[np.float32],
        purchases: Numbers,
        options: KeyOptions,
        dropout: float,
    ) -> Self:
        """The catalogue of items with these name vectors (n, d) and training purchases (n,)."""
        with torch.no_grad():
            text = heads.whitened(torch.from_numpy(vectors).to(heads.mean.device))
        return cls(text, key_pool(purchases, options), dropout)

    def all_keys(self) -> Keys:
        """All keys, none of them sampled."""
        items = np.concatenate([self.pool.always, self.pool.rest])
        return Keys(items, np.zeros(len(items), dtype=np.float32), places(items, len(self.text)))

    def some_keys(self, draw: np.random.Generator) -> Keys:
        """The keys of a step."""
        return draw_keys(self.pool, len(self.text), draw)

    def queries(self, heads: Heads, items: Numbers, draw: np.random.Generator | None) -> Tensor:
        """Queries (r, w) of items, residuals dropped at random where a generator is given."""
        return heads.queries(*self._seen(heads, items, draw))

    def loss(
        self, heads: Heads, queries: Tensor, keys: Keys, wanted: Wanted, draw: np.random.Generator | None
    ) -> Tensor:
        """The loss (`row_loss`) of queries (r, w) against the keys; residuals dropped as in `queries`."""
        seen = self._seen(heads, keys.items, draw)
        scores = (queries @ heads.keys(*seen).T + heads.bias(*seen)).float()  # (r, k)
        targets = np.zeros(scores.shape, dtype=np.float32)
        at = keys.place[wanted.target_items]
        is_in = at >= 0
        targets[wanted.target_rows[is_in], at[is_in]] = wanted.targets[is_in]
        at = keys.place[wanted.hidden_items]
        is_in = at >= 0
        left_out = (self._here(wanted.hidden_rows[is_in]), self._here(at[is_in]))
        of_rows = self._here(targets), self._here(wanted.weights), self._here(keys.correction)
        return row_loss(scores, *of_rows, left_out)

    def rows_at_once(self) -> int:
        """Rows whose scores against all keys fit the memory that is meant for them."""
        return max(1, _CELLS // max(len(self.pool.always) + len(self.pool.rest), 1))

    def _seen(
        self, heads: Heads, items: Numbers, draw: np.random.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Whitened names, numbers and shown residuals of items."""
        at = self._here(items)
        shown = heads.is_known[at].float()
        if draw is not None:
            shown = shown * self._here(draw.random(len(items), dtype=np.float32) >= self.dropout)
        return self.text[at], at, shown

    def _here(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.text.device)
