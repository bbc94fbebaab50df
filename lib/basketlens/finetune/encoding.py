"""The encoder in a training: names to vectors, with gradients where they are asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from basketlens import hub
from basketlens.batches import batches
from basketlens.finetune.name_model import Reading
from basketlens.loading import load_model, load_tokenizer
from basketlens.locations import resolve
from basketlens.pooling import pooled, pooling_of
from basketlens.settings import EmbedSettings

_BATCH_TOKENS: Final = 4096  # of a forward pass

Tokens = Sequence[Sequence[int]]  # numbers of the vocabulary, one list per name


class NameEncoder(nn.Module):
    """A transformer in float32, with what makes one vector of a name."""

    def __init__(self, model: Any, reading: Reading) -> None:
        super().__init__()
        self.model, self.reading = model, reading
        self.padding: int = model.config.pad_token_id or 0
        self.train(model.training)

    @classmethod
    def load(cls, embed: EmbedSettings) -> Self:
        """As `[embed]` says, on the processor, and without dropout until `train()` is called.

        Raises:
            InputError: the folder lacks weights, or asks for an unknown pooling.
        """
        source = folder_of(embed)
        model = load_model(source).float().eval()
        return cls(model, reading_of(source, embed, model))

    def tokenized(self, names: Sequence[str]) -> Tokens:
        """Names as numbers of the vocabulary; one that the tokenizer makes nothing of is a padding token."""
        prompted = [self.reading.prompt + name for name in names]
        return [encoding.ids or [self.padding] for encoding in self.reading.tokenizer.encode_batch(prompted)]

    def forward(self, ids: Tokens) -> Tensor:
        """Vectors (r, d) float32 of names as `tokenized` gives them, r at least 1; names of like lengths together."""
        parts = list(batches([len(name) for name in ids], _BATCH_TOKENS))
        made = torch.cat([self._together([ids[i] for i in at]) for at in parts])
        order = torch.tensor([i for at in parts for i in at], device=made.device)
        return made[order.argsort()]

    def _together(self, ids: Tokens) -> Tensor:
        """Vectors of one batch, padded to its longest name."""
        device = next(self.model.parameters()).device
        lengths = torch.tensor([len(name) for name in ids])
        longest = int(lengths.max())
        rows = torch.tensor([[*name, *[self.padding] * (longest - len(name))] for name in ids])
        mask = None
        if int(lengths.min()) < longest:
            mask = (torch.arange(longest)[None, :] < lengths[:, None]).long().to(device)
        states = self.model(input_ids=rows.to(device), attention_mask=mask).last_hidden_state
        made = pooled(states, lengths.to(device), pooling=self.reading.pooling)
        return nn.functional.normalize(made, dim=1) if self.reading.normalize else made

    def draw_weights(self, seed: int) -> None:
        """Replace all weights by new ones of the same shape, as the architecture draws them."""
        from transformers import AutoModel  # slow to import, and rarely needed here

        architecture: Any = AutoModel  # untyped
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = architecture.from_config(self.model.config).float().eval()

    @torch.no_grad()
    def vectors(self, ids: Tokens) -> npt.NDArray[np.float32]:
        """Vectors (n, d) of names as `tokenized` gives them, without gradients and without dropout."""
        was_training = self.training
        self.eval()
        found = np.zeros((len(ids), self.model.config.hidden_size), np.float32)
        for at in batches([len(name) for name in ids], _BATCH_TOKENS):
            found[at] = self._together([ids[i] for i in at]).cpu().numpy()
        self.train(was_training)
        return found


def folder_of(embed: EmbedSettings) -> Path:
    """The model's folder on this machine."""
    return (
        hub.snapshot(embed.model, download=False)
        if hub.is_hub_id(embed.model)
        else Path(resolve(embed.model))
    )


def reading_of(source: Path, embed: EmbedSettings, model: Any) -> Reading:
    """How `embed` reads names with the model of this folder."""
    return Reading(
        load_tokenizer(source, max_tokens=embed.max_tokens),
        pooling_of(source, embed.pooling, model.config),
        embed.normalize,
        embed.prompt,
    )
