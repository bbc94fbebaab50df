"""The whole of a trained model as one function of tokens: what is exported, and what it is compared with."""

import copy
import math
from typing import Any, NamedTuple

from tokenizers import Tokenizer
from torch import Tensor, nn

from basketlens.finetune.heads import Heads


class Reading(NamedTuple):
    """How a name becomes tokens, and the states of its tokens one vector."""

    tokenizer: Tokenizer  # cuts names that are too long
    pooling: str  # mean, cls or last
    normalize: bool  # to an L2 norm of 1
    prompt: str  # written before every name


class NameModel(nn.Module):
    """Tokens of names to embedding, query, key and bias.

    Names alone: what heads have learned of single items takes no part, as for an item that was never sold.
    """

    mean: Tensor
    matrix: Tensor
    scale: Tensor

    def __init__(self, encoder: Any, heads: Heads, reading: Reading) -> None:
        """A copy in float32 on the processor, whatever the parts are on and in.

        Args:
            encoder: a transformer as `AutoModel` reads it, of width d.
            heads: of the same width.
            reading: how `encoder` was used when `heads` were trained.
        """
        super().__init__()
        self.encoder = copy.deepcopy(encoder).cpu().float()
        text = {name: part for name, part in heads.state_dict().items() if not name.endswith("_residual")}
        self.to_query, self.to_key = copy.deepcopy(heads.to_query), copy.deepcopy(heads.to_key)
        self.bias_hidden, self.bias_out = copy.deepcopy(heads.bias_hidden), copy.deepcopy(heads.bias_out)
        self.register_buffer("mean", text["mean"].clone())
        self.register_buffer("matrix", text["matrix"].clone())
        self.register_buffer("scale", text["log_scale"].exp() / math.sqrt(heads.to_query.out_features))
        self.pooling, self.normalize = reading.pooling, reading.normalize
        self.cpu().eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embedding (r, d), query (r, w) with the scale in it, key (r, w) and bias (r,).

        Args:
            input_ids: (r, l) int64, padded on the right.
            attention_mask: (r, l) int64, 1 = a token, 0 = padding.
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        embedding = self._pooled(states, attention_mask)
        if self.normalize:
            embedding = nn.functional.normalize(embedding, dim=1)
        white = (embedding - self.mean) @ self.matrix
        text = nn.functional.normalize(white, dim=1) * math.sqrt(embedding.shape[1])
        bias = self.bias_out(nn.functional.gelu(self.bias_hidden(text)))[:, 0]
        return embedding, self.to_query(text) * self.scale, self.to_key(text), bias

    def _pooled(self, states: Tensor, mask: Tensor) -> Tensor:
        """Without a branch on the data: a traced graph would keep the one that it saw."""
        if self.pooling == "cls":
            return states[:, 0]
        lengths = mask.sum(dim=1, keepdim=True)  # (r, 1)
        if self.pooling == "last":
            return states.gather(1, (lengths - 1)[:, :, None].expand(-1, 1, states.shape[2]))[:, 0]
        return states.masked_fill(mask[:, :, None] == 0, 0).sum(dim=1) / lengths
