"""The trained attention: two projections of name vectors, what is learned of single items, and a bias per key."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from basketlens.errors import InputError
from basketlens.finetune.whitening import Whitening, fit_whitening
from basketlens.shopping import Projections

_AT_ONCE = 8192  # items


class HeadOptions(NamedTuple):
    """What the heads look like."""

    width: int  # w, of queries and keys
    bias_width: int  # hidden units of the network that guesses a bias from a name
    initial_scale: float  # exp(g) before training, above 0
    min_purchases: int  # an item bought less often has no residual, and is known by its name alone
    residual_dropout: float  # 0..1, how often training takes an item's vectors from its name alone
    bias_dropout: float  # 0..1, and how often its bias
    ridge: float  # of the whitening, share of the mean eigenvalue


class Heads(nn.Module):
    """s_ij = exp(g) (W_q e_i + m_i t_i) . (W_k e_j + m_j r_j) / sqrt(w) + b_j, over n items.  It is one head.

    e is the whitened name vector, m_i = 1 for an item bought often enough, t and r what is learned of it beyond its
    name.  b_j = log p_j + c_j where m_j = 1, p_j being the item's share of purchases, else a small network's guess
    from the name.  With m = 0 an item is text alone: that is how a new one is read, and training hides some items' m so
    that this works.  It hides a bias more rarely than a residual: without its log p a best seller is missing from every
    denominator, and all other scores would have to make up for that.

    One head, though the formula allows more: the row of a softmax is one distribution, so that a sum of heads' scores
    is one head of their joint width, and a mean of heads' distributions would have no exact top k by inner product.

    Source: Vaswani et al. 2017, "Attention Is All You Need", eq. 1, with a bias.
    """

    mean: Tensor
    matrix: Tensor
    is_known: Tensor
    log_share: Tensor

    def __init__(
        self, whitening: Whitening, purchases: npt.NDArray[np.int64], options: HeadOptions, *, seed: int
    ) -> None:
        """Heads before training.

        Args:
            whitening: of width d.
            purchases: (n,) training baskets that hold each item.
            options: the shape.
            seed: of the first weights.

        Raises:
            InputError: no item was bought often enough.
        """
        super().__init__()
        n, d, w = len(purchases), len(whitening.mean), options.width
        is_known = torch.from_numpy(purchases >= options.min_purchases)
        if not is_known.any():
            raise InputError(
                f"Too few baskets to train on: none of {n} items was bought {options.min_purchases} times.\n"
                f"  Most often bought: {purchases.max(initial=0)} times\n"
                "  Next: more weeks of receipts, or finetune.enabled=false"
            )
        share = torch.from_numpy(purchases / purchases.sum()).clamp(min=1e-12).log().float()
        self.register_buffer("mean", torch.from_numpy(whitening.mean))
        self.register_buffer("matrix", torch.from_numpy(whitening.matrix))
        self.register_buffer("is_known", is_known)  # (n,) bool, m
        self.register_buffer("log_share", share)  # (n,) log p
        self.to_query = nn.Linear(d, w, bias=False)
        self.to_key = nn.Linear(d, w, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(options.initial_scale)))  # g
        self.query_residual = nn.Parameter(torch.zeros(n, w))  # t
        self.key_residual = nn.Parameter(torch.zeros(n, w))  # r
        self.bias_residual = nn.Parameter(torch.zeros(n))  # c
        self.bias_hidden, self.bias_out = nn.Linear(d, options.bias_width), nn.Linear(options.bias_width, 1)
        self._start(seed)

    def _start(self, seed: int) -> None:
        """First weights from a generator of their own: uniform, of variance 1 / (3 inputs), as `nn.Linear` has it."""
        draw = torch.Generator().manual_seed(seed)
        for layer in (self.to_query, self.to_key, self.bias_hidden, self.bias_out):
            reach = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -reach, reach, generator=draw)
        nn.init.zeros_(self.bias_hidden.bias)
        # A name says nothing yet: every item is as frequent as the known ones are on average.
        nn.init.constant_(self.bias_out.bias, float(self.log_share[self.is_known].mean()))

    def whitened(self, vectors: Tensor) -> Tensor:
        """Whitened vectors (n, d) of L2 norm sqrt(d), of name vectors (n, d) of L2 norm 1."""
        white = (vectors - self.mean) @ self.matrix
        return nn.functional.normalize(white, dim=1) * math.sqrt(vectors.shape[1])

    def queries(self, text: Tensor, items: Tensor, shown: Tensor) -> Tensor:
        """Queries (r, w), scale included.

        Args:
            text: (r, d) whitened vectors.
            items: (r,) int64, their numbers.
            shown: (r,) 1 where what is learned of the item takes part, else 0; 0 wherever `is_known` is false.
        """
        scale = self.log_scale.exp() / math.sqrt(self.to_query.out_features)
        queries: Tensor = self.to_query(text) + shown[:, None] * self.query_residual[items]
        return queries * scale

    def keys(self, text: Tensor, items: Tensor, shown: Tensor) -> Tensor:
        """Keys (k, w); arguments as for `queries`."""
        keys: Tensor = self.to_key(text) + shown[:, None] * self.key_residual[items]
        return keys

    def bias(self, text: Tensor, items: Tensor, shown: Tensor) -> Tensor:
        """Bias of the keys (k,); arguments as for `queries`."""
        learned = self.log_share[items] + self.bias_residual[items]
        return torch.where(shown > 0, learned, self.text_bias(text))

    def text_bias(self, text: Tensor) -> Tensor:
        """Bias (k,) that the network guesses from whitened names (k, d)."""
        bias: Tensor = self.bias_out(nn.functional.gelu(self.bias_hidden(text)))[:, 0]
        return bias


def new_heads(
    vectors: npt.NDArray[np.float32], purchases: npt.NDArray[np.int64], options: HeadOptions, *, seed: int
) -> Heads:
    """Heads before training, for items with these vectors (n, d); whitened by those of them that were bought."""
    whitening = fit_whitening(vectors[purchases > 0], ridge=options.ridge)
    return Heads(whitening, purchases, options, seed=seed)


@torch.no_grad()
def projections(heads: Heads, vectors: npt.NDArray[np.float32], *, text_only: bool = False) -> Projections:
    """Queries, keys and biases of the n items that the heads were trained for, on the processor.

    An item that was bought too rarely in training, or never, is its name alone.

    Args:
        heads: on any device.
        vectors: (n, d), of norm 1.
        text_only: read every item by its name alone.
    """
    device = heads.mean.device
    parts = []
    for start in range(0, len(vectors), _AT_ONCE):
        text = heads.whitened(torch.from_numpy(vectors[start : start + _AT_ONCE]).to(device))
        items = torch.arange(start, start + len(text), device=device)
        shown = heads.is_known[items].float() * (not text_only)
        parts.append([f(text, items, shown).cpu().numpy() for f in (heads.queries, heads.keys, heads.bias)])
    queries, keys, bias = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Projections(queries, keys, bias.astype(np.float64))
