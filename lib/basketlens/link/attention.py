"""Exact softmax attention of queries over streamed keys; the matrix of scores never exists."""

from typing import Final

import torch
from torch import Tensor

from basketlens.link.candidates import HIDDEN, Candidates
from basketlens.link.precision import Operands, operands
from basketlens.link.shard import Shard
from basketlens.link.softmax import Partial, merge
from basketlens.link.tiles import PANEL_TILES, tile_of

UNSHIFTED: Final = 30.0  # e^30 is 1e13: a billion of them, and one e^-30, fit float32


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

    Scores for the softmax are products in the precision that `operands` chooses, their sums float64.  The
    strongest keys are ranked by float64 products whatever that is, so that equal vectors tie exactly wherever they
    stand; among ties the lower position wins.

    Args:
        seen: of n queries and the keys before this shard; how many keys it keeps may exceed those there are.
        queries: (n, d) float32.
        shard: keys of the same width and on the same device; may be none.  Its values are as wide as the contexts of
            `seen`.
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
    rows, width = tile_of(seen.scores.shape[1], on_gpu=queries.is_cuda)
    # Memory is asked for once: fresh pages cost more than what is computed in them.
    room = queries.new_empty(PANEL_TILES + 1, min(n, rows) * min(m, width))
    for i in range(0, n, rows):
        tile = slice(i, i + rows)
        before = Partial(*(part[tile] for part in seen))
        own_groups = groups[tile] if groups is not None else None
        found = _attend_tile(before, queries[tile], shard, self_at[tile], scale, own_groups, within, room)
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
    room: Tensor,
) -> Partial:
    """What a tile of queries learns from the shard alone."""
    n = len(queries)
    top = before.scores.shape[1]
    of = operands(queries, shard, scale=scale)
    candidates = Candidates(queries, shard, scale=scale, top=top, margin=2 * of.error)
    is_half = of.queries.dtype == torch.bfloat16
    # Small scores need no running maximum: e^score stays well inside the range of float32.
    is_small = of.reach <= UNSHIFTED
    if room.dtype != (wanted := torch.float32 if is_half else of.queries.dtype):
        room = room.to(wanted)
    start_at = 0.0 if is_small else HIDDEN
    maximum = of.queries.new_full((n,), start_at, dtype=torch.float32 if is_half else None)
    total = torch.zeros_like(before.total)
    weighted, context = torch.zeros_like(total), torch.zeros_like(before.context)
    _, width = tile_of(top, on_gpu=queries.is_cuda)
    for i, start in enumerate(_starts(shard, groups, within, width)):
        s = _product(of, slice(start, start + width), room[i % PANEL_TILES])  # (n, width)
        if shard.bias is not None:
            s += shard.bias[start : start + width]
        if within is not None and groups is not None and shard.groups is not None:
            is_same = groups[:, None] == shard.groups[start : start + width]
            s.masked_fill_(~is_same if within else is_same, HIDDEN)
        own = ((self_at >= start) & (self_at < start + s.shape[1])).nonzero()[:, 0]
        s[own, self_at[own] - start] = HIDDEN
        candidates.add(s, start)
        if is_small:
            e = torch.exp(s, out=room[PANEL_TILES, : s.numel()].view(n, -1))
            carried = torch.ones_like(total)
        else:
            old, maximum = maximum, torch.maximum(maximum, s.amax(dim=1))
            e = (s - maximum[:, None]).exp_()
            carried = (old.double() - maximum.double()).exp()
        total = total * carried + e.sum(dim=1).double()
        if shard.values is not None:
            mean = e @ shard.values[start : start + width].to(e.dtype)  # (n, w)
            context = context * carried[:, None] + mean.double()
        weighted = weighted * carried + e.mul_(s).sum(dim=1).double()
    is_empty = (total == 0) | (maximum <= HIDDEN / 2)  # no key but hidden ones
    scores, at = candidates.strongest()
    return Partial(
        maximum.double().masked_fill(is_empty, -torch.inf),
        total.masked_fill(is_empty, 0),
        weighted.masked_fill(is_empty, 0),
        scores,
        torch.where(at >= 0, at + shard.first, -1),
        context.masked_fill(is_empty[:, None], 0),
        torch.full_like(total, of.error),
    )


def _product(of: Operands, tile: slice, room: Tensor) -> Tensor:
    """Queries times a tile of keys, in the memory of `room`."""
    keys = of.keys[tile].T.to(of.queries.dtype)
    s = room[: len(of.queries) * keys.shape[1]].view(len(of.queries), -1)
    return s.copy_(of.queries @ keys) if of.queries.dtype != room.dtype else torch.mm(of.queries, keys, out=s)


def _starts(shard: Shard, groups: Tensor | None, within: bool | None, width: int) -> range:
    """Where the tiles of keys begin; tiles before the first and after the last key of the queries' groups are left out."""
    everything = range(0, len(shard.vectors), width)
    if not within or groups is None or shard.groups is None:
        return everything
    of_queries = groups.new_tensor(sorted(set(groups.tolist())))  # few: isin is quick with them
    at = torch.isin(shard.groups, of_queries).nonzero()[:, 0]
    return everything[int(at[0]) // width : int(at[-1]) // width + 1] if len(at) else range(0)
