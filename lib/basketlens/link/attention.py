"""Exact softmax attention of queries over streamed keys; the matrix of scores never exists."""

from typing import Final

import torch
from torch import Tensor

from basketlens.errors import InputError
from basketlens.link.candidates import HIDDEN, Candidates
from basketlens.link.shard import Shard, longest
from basketlens.link.softmax import Partial, merge
from basketlens.link.tiles import tile_of

PRECISE_FROM: Final = 64.0  # largest score whose float32 rounding leaves weights good to 1e-5
LARGEST: Final = -HIDDEN / 1e6  # score that cannot be taken for a hidden one


def attend(
    seen: Partial,
    queries: Tensor,
    shard: Shard,
    self_at: Tensor,
    *,
    scale: float,
    groups: Tensor | None = None,
    within: bool | None = None,
) -> None:
    """Add a shard of keys to what the queries have seen, in place: softmax sums and the strongest keys, exact.

    A score is scale * (query . key) + bias of the key.

    Scores for the softmax are float32 products (float64 where scores may exceed `PRECISE_FROM`), their
    sums float64.  The strongest keys are ranked by float64 products, so that equal vectors tie exactly
    wherever they stand; among ties the lower position wins.

    Args:
        seen: of n queries and the keys before this shard; how many keys it keeps may exceed those there are.
        queries: (n, d) float32.
        shard: keys of the same width and on the same device; may be none.
        self_at: (n,) int64, the row of the shard that is the query itself and is left out, or -1.
        scale: factor before the softmax, above 0.
        groups: (n,) int64, of the queries; needed with `within`.
        within: True: keys of the query's own group alone; False: keys of other groups alone; None: all keys.

    Raises:
        ValueError: the widths differ.
        InputError: scores would leave the range of float32.

    Source: Dao et al. 2022, "FlashAttention", algorithm 1.
    """
    (n, d), (m, width) = queries.shape, shard.vectors.shape
    if d != width:
        raise ValueError(f"queries are {n}x{d} but keys are {m}x{width}: both must come from one model.")
    rows, _ = tile_of(seen.scores.shape[1], on_gpu=queries.is_cuda)
    for i in range(0, n, rows):
        tile = slice(i, i + rows)
        before = Partial(*(part[tile] for part in seen))
        own_groups = groups[tile] if groups is not None else None
        found = _attend_tile(before, queries[tile], shard, self_at[tile], scale, own_groups, within)
        if before.total.any():
            found = merge(before, found)
        for part, value in zip(before, found, strict=True):
            part.copy_(value)


def _attend_tile(
    before: Partial,
    queries: Tensor,
    shard: Shard,
    self_at: Tensor,
    scale: float,
    groups: Tensor | None,
    within: bool | None,
) -> Partial:
    """What a tile of queries learns from the shard alone."""
    n, d = queries.shape
    top = before.scores.shape[1]
    # No score is larger (Cauchy-Schwarz).
    reach = scale * longest(queries) * shard.longest + shard.steepest
    if not reach < LARGEST:
        raise InputError(
            f"Scores up to {reach:g} do not fit float32; at most {LARGEST:g} may be possible.\n"
            "  Next: lower link.scale, or the lengths and biases in `projections`"
        )
    # Rounding of a float32 dot product of d terms, its scaling, the bias and their sum (and the second order of all
    # that), on both sides of a comparison.
    margin = 2 * (d + 8) * 2.0**-24 * reach
    scaled = (queries.double() if reach > PRECISE_FROM else queries) * scale
    candidates = Candidates(queries, shard, scale=scale, top=top, margin=margin)
    maximum = scaled.new_full((n,), HIDDEN)
    total = torch.zeros_like(before.total)
    weighted = torch.zeros_like(total)
    _, width = tile_of(top, on_gpu=queries.is_cuda)
    for start in _starts(shard, groups, within, width):
        s = scaled @ shard.vectors[start : start + width].T.to(scaled.dtype)  # (n, width)
        if shard.bias is not None:
            s += shard.bias[start : start + width]
        if within is not None and groups is not None and shard.groups is not None:
            is_same = groups[:, None] == shard.groups[start : start + width]
            s.masked_fill_(~is_same if within else is_same, HIDDEN)
        own = ((self_at >= start) & (self_at < start + s.shape[1])).nonzero()[:, 0]
        s[own, self_at[own] - start] = HIDDEN
        candidates.add(s, start)
        old, maximum = maximum, torch.maximum(maximum, s.amax(dim=1))
        e = (s - maximum[:, None]).exp_()  # (n, width)
        carried = (old.double() - maximum.double()).exp()
        total = total * carried + e.sum(dim=1).double()
        weighted = weighted * carried + e.mul_(s).sum(dim=1).double()
    is_empty = maximum <= HIDDEN / 2  # no key but hidden ones
    scores, at = candidates.strongest()
    return Partial(
        maximum.double().masked_fill(is_empty, -torch.inf),
        total.masked_fill(is_empty, 0),
        weighted.masked_fill(is_empty, 0),
        scores,
        torch.where(at >= 0, at + shard.first, -1),
    )


def _starts(shard: Shard, groups: Tensor | None, within: bool | None, width: int) -> range:
    """Where the tiles of keys begin; tiles before the first and after the last key of the queries' groups are left out."""
    everything = range(0, len(shard.vectors), width)
    if not within or groups is None or shard.groups is None:
        return everything
    of_queries = groups.new_tensor(sorted(set(groups.tolist())))  # few: isin is quick with them
    at = torch.isin(shard.groups, of_queries).nonzero()[:, 0]
    return everything[int(at[0]) // width : int(at[-1]) // width + 1] if len(at) else range(0)
