"""What queries know of the keys seen so far, and what follows once all keys have been seen."""

from typing import NamedTuple

import torch
from torch import Tensor

from basketlens.link.candidates import first_per_row


class Partial(NamedTuple):
    """What n queries know of the keys seen so far; `merge` joins two of them."""

    maximum: Tensor  # (n,) float64, largest score; -inf when no key was seen
    total: Tensor  # (n,) float64, sum of e^(score - maximum)
    weighted: Tensor  # (n,) float64, sum of e^(score - maximum) * score
    scores: Tensor  # (n, top) float64, descending; -inf where there are fewer keys
    positions: Tensor  # (n, top) int64, which keys; ties ascending; -1 where there are fewer keys
    context: Tensor  # (n, w) float64, sum of e^(score - maximum) * value; w = 0 when no contexts are wanted
    error: Tensor  # (n,) float64, no score in the sums is further off; those that are kept are exact


class Attention(NamedTuple):
    """Attention of n queries over all keys: finite everywhere, also for a query without keys."""

    log_sum_exp: Tensor  # (n,) float64; NaN-free: -inf means that there was no key
    weights: Tensor  # (n, top) float64 in [0, 1], descending; 0 where there are fewer keys
    top_mass: Tensor  # (n,) float64 in [0, 1], sum of the weights kept
    entropy: Tensor  # (n,) float64 >= 0, nats, over all keys
    context: Tensor  # (n, w) float64, mean of the values by attention; 0 without keys


def nothing_seen(n: int, top: int, *, like: Tensor, width: int = 0) -> Partial:
    """The neutral element of `merge`: n queries that have seen no key, on the device of `like`.

    Contexts will be of values of `width` numbers.
    """
    none = like.new_full((n,), -torch.inf, dtype=torch.float64)
    zero = torch.zeros_like(none)
    positions = like.new_full((n, top), -1, dtype=torch.int64)
    scores = like.new_full((n, top), -torch.inf, dtype=torch.float64)
    context = like.new_zeros((n, width), dtype=torch.float64)
    return Partial(none, zero, zero.clone(), scores, positions, context, zero.clone())


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
        a.context * of_a[:, None] + b.context * of_b[:, None],
        torch.maximum(a.error, b.error),
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
    context = seen.context / torch.where(has_keys, seen.total, 1.0)[:, None]
    return Attention(log_sum_exp, weights, weights.sum(dim=1).clamp(max=1.0), entropy, context)
