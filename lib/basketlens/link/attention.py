"""Exact softmax attention of a block of queries over streamed keys; the matrix of scores never exists."""

from typing import Final, NamedTuple

import torch
from torch import Tensor

from basketlens.link.candidates import HIDDEN, Candidates, first_per_row

QUERY_TILE: Final = 512  # with KEY_TILE: 2 MiB of scores, which stay in the processor's cache
KEY_TILE: Final = 1024
PRECISE_FROM: Final = 64.0  # largest score whose float32 rounding leaves weights good to 1e-5


class Partial(NamedTuple):
    """What n queries know of the keys seen so far; `merge` joins two of them."""

    maximum: Tensor  # (n,) float64, largest score; -inf when no key was seen
    total: Tensor  # (n,) float64, sum of e^(score - maximum)
    weighted: Tensor  # (n,) float64, sum of e^(score - maximum) * score
    scores: Tensor  # (n, top) float64, descending; -inf where there are fewer keys
    positions: Tensor  # (n, top) int64, which keys; ties ascending; -1 where there are fewer keys


class Attention(NamedTuple):
    """Attention of n queries over all keys: finite everywhere, also for a query without keys."""

    log_sum_exp: Tensor  # (n,) float64; NaN-free: -inf means that there was no key
    weights: Tensor  # (n, top) float64 in [0, 1], descending; 0 where there are fewer keys
    top_mass: Tensor  # (n,) float64 in [0, 1], sum of the weights kept
    entropy: Tensor  # (n,) float64 >= 0, nats, over all keys


def attend(
    queries: Tensor, keys: Tensor, self_at: Tensor, *, scale: float, top: int, first_position: int = 0
) -> Partial:
    """Softmax sums and the `top` strongest keys of each query, exact.

    Scores for the softmax are float32 products (float64 where scores may exceed `PRECISE_FROM`), their
    sums float64.  The strongest keys are ranked by float64 products, so that equal vectors tie exactly
    wherever they stand; among ties the lower position wins.

    Args:
        queries: (n, d) float32.
        keys: (m, d) float32, m may be 0.
        self_at: (n,) int64, the row of `keys` that is the query itself and is left out, or -1.
        scale: factor before the softmax, above 0.
        top: keys kept per query, 1 or more; may exceed m.
        first_position: position of keys[0] in the catalogue; added to every position returned.

    Raises:
        ValueError: the widths differ, `top` is below 1, or scores would leave the range of float32.

    Source: Dao et al. 2022, "FlashAttention", algorithm 1, without the values V.
    """
    (n, d), (m, width) = queries.shape, keys.shape
    if d != width:
        raise ValueError(f"queries are {n}x{d} but keys are {m}x{width}: both must come from one model.")
    if top < 1:
        raise ValueError(f"top must be 1 or more, got {top}.")
    reach = scale * _longest(queries) * _longest(keys)  # no score is larger (Cauchy-Schwarz)
    if not reach < -HIDDEN / 1e6:
        raise ValueError(f"scores up to {reach:g} do not fit float32: lower the scale ({scale:g}).")
    # Rounding of a float32 dot product of d terms, on both sides of a comparison.
    margin = 2 * (d + 2) * 2.0**-24 * reach
    scaled = (queries.double() if reach > PRECISE_FROM else queries) * scale
    tiles = []
    for i in range(0, n, QUERY_TILE):
        tile = slice(i, i + QUERY_TILE)
        candidates = Candidates(queries[tile], keys, scale=scale, top=top, margin=margin)
        tiles.append(_attend_tile(scaled[tile], keys, self_at[tile], candidates))
    found = (
        Partial(*map(torch.cat, zip(*tiles, strict=True))) if tiles else nothing_seen(0, top, like=queries)
    )
    return found._replace(positions=torch.where(found.positions >= 0, found.positions + first_position, -1))


def _longest(vectors: Tensor) -> float:
    return float(torch.linalg.vector_norm(vectors, dim=1).max()) if len(vectors) else 0.0


def _attend_tile(scaled: Tensor, keys: Tensor, self_at: Tensor, candidates: Candidates) -> Partial:
    maximum = scaled.new_full((len(scaled),), HIDDEN)
    total = scaled.new_zeros(len(scaled), dtype=torch.float64)
    weighted = torch.zeros_like(total)
    for start in range(0, len(keys), KEY_TILE):
        s = scaled @ keys[start : start + KEY_TILE].T.to(scaled.dtype)  # (n, KEY_TILE)
        own = ((self_at >= start) & (self_at < start + s.shape[1])).nonzero()[:, 0]
        s[own, self_at[own] - start] = HIDDEN
        candidates.add(s, start)
        old, maximum = maximum, torch.maximum(maximum, s.amax(dim=1))
        e = (s - maximum[:, None]).exp_()  # (n, KEY_TILE)
        carried = (old.double() - maximum.double()).exp()
        total = total * carried + e.sum(dim=1).double()
        weighted = weighted * carried + e.mul_(s).sum(dim=1).double()
    is_empty = maximum <= HIDDEN / 2  # no key but the query itself
    return Partial(
        maximum.double().masked_fill(is_empty, -torch.inf),
        total.masked_fill(is_empty, 0),
        weighted.masked_fill(is_empty, 0),
        *candidates.strongest(),
    )


def nothing_seen(n: int, top: int, *, like: Tensor) -> Partial:
    """The neutral element of `merge`: n queries that have seen no key."""
    none = like.new_full((n,), -torch.inf, dtype=torch.float64)
    zero = torch.zeros_like(none)
    positions = like.new_full((n, top), -1, dtype=torch.int64)
    return Partial(none, zero, zero, like.new_full((n, top), -torch.inf, dtype=torch.float64), positions)


def merge(a: Partial, b: Partial) -> Partial:
    """What is known of both sets of keys, which must not overlap; in either order."""
    maximum = torch.maximum(a.maximum, b.maximum)
    reference = maximum.clamp(min=torch.finfo(torch.float64).min)  # -inf minus -inf would be NaN
    of_a, of_b = (a.maximum - reference).exp(), (b.maximum - reference).exp()
    positions, by_position = torch.cat([a.positions, b.positions], dim=1).sort(dim=1)
    scores = torch.cat([a.scores, b.scores], dim=1).gather(1, by_position)
    return Partial(
        maximum,
        a.total * of_a + b.total * of_b,
        a.weighted * of_a + b.weighted * of_b,
        *first_per_row(scores, positions, top=a.scores.shape[1]),
    )


def finish(seen: Partial) -> Attention:
    """Normalise over all keys seen.  Without any key: -inf, and nothing but zeros."""
    has_keys = seen.total > 0
    log_sum_exp = torch.where(has_keys, seen.maximum + seen.total.log(), -torch.inf)
    reference = torch.where(has_keys, log_sum_exp, 0.0)
    # Sums are of float32 exponentials: without the clamps a share could come out as 1.0000001.
    weights = (seen.scores - reference[:, None]).exp().clamp(max=1.0)
    mean_score = torch.where(has_keys, seen.weighted / seen.total.clamp(min=1e-300), 0.0)
    entropy = (reference - mean_score).clamp(min=0.0)
    return Attention(log_sum_exp, weights, weights.sum(dim=1).clamp(max=1.0), entropy)
