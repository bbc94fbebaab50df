"""Vectors of other names of items, which a training reads now and then in place of the true one."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.name_variants import NameOptions, variants_of


class FurtherNames(NamedTuple):
    """Other names of n items, each with its vector once."""

    vectors: npt.NDArray[np.float32]  # (u, d)
    at: npt.NDArray[np.int64]  # (n, v) places in `vectors`; -1 = the true name
    share: float  # 0..1 of the items of a step that are read by one of their v names, all equally likely

    @classmethod
    def of(
        cls,
        names: npt.NDArray[np.object_],
        is_read: npt.NDArray[np.bool_],
        options: NameOptions,
        share: float,
        encoder: Callable[[], NameEncoder],
        *,
        seed: int,
    ) -> Self | None:
        """Make and encode other names of the items that a training reads; None when there are none to read.

        Args:
            names: (n,) str.
            is_read: (n,), which items are bought in training: the others are not worth their encoding.
            options: how names are made.
            share: as above.
            encoder: gives that of the true names; asked only when there is something to encode.
            seed: of the names.
        """
        if not (options.is_on and share):
            return None
        made = [
            variants_of(name, options, seed=seed) if read else []
            for name, read in zip(names, is_read, strict=True)
        ]
        different = {name: i for i, name in enumerate(dict.fromkeys(other for of in made for other in of))}
        if not different:
            return None
        at = np.full((len(names), options.variants), -1, dtype=np.int64)
        for row, others in zip(at, made, strict=True):
            row[: len(others)] = [different[other] for other in others]
        reader = encoder()
        return cls(reader.vectors(reader.tokenized(list(different))), at, share)


class FurtherText(NamedTuple):
    """The same on the training's device."""

    text: Tensor  # (u, d) whitened
    at: Tensor  # (n, v) int64
    share: float

    def read(self, text: Tensor, items: Tensor, draw: np.random.Generator) -> Tensor:
        """Vectors (r, d) of items (r,) in a step: their true ones, `text` (r, d), or further ones by chance."""
        chances = draw.random((len(items), 2), dtype=np.float32)
        which = torch.from_numpy((chances[:, 1] * self.at.shape[1]).astype(np.int64)).to(items.device)
        place = self.at[items, which]
        is_further = torch.from_numpy(chances[:, 0] < self.share).to(items.device) & (place >= 0)
        return torch.where(is_further[:, None], self.text[place.clamp(min=0)], text)
