"""Cross-entropy of whole rows of the catalogue, from a sample of the keys; knows neither the model nor Spark."""

from typing import Final

import torch
from torch import Tensor

HIDDEN: Final = -1e30  # the score of a key that is left out: finite, because 0 * inf is not a number


def row_loss(
    scores: Tensor, targets: Tensor, weights: Tensor, correction: Tensor, left_out: tuple[Tensor, Tensor]
) -> Tensor:
    """Weighted mean over rows of -sum_j y_ij log softmax_j(s_ij), estimated from the sampled keys.

    With a key's inclusion probability pi_j, Z_i = sum_j e^(s_ij) is estimated by sum over sampled j of
    e^(s_ij - log pi_j), and sum_j y_ij (...) by sum over sampled j of y_ij / pi_j (...) (Horvitz and Thompson 1952).
    Both are unbiased; what they make of the loss:

    - a target that was not sampled costs nothing in this step, and 1 / pi_j times as much when it is sampled;
    - log Z_i is too small by about Var(Z_i) / (2 Z_i^2) (Jensen), of order 1 / sampled keys;
    - log Z_i counts as often as targets were met, sum_j y_ij / pi_j and not 1, so that the gradient of a row adds up
      to 0 in every step.  For a target that is sampled itself, Z_i is too large by (1 / pi_j - 1) e^(s_ij): the loss
      of a rare target that is already likely is overstated a little, and its score ends a little low.

    With all keys present (correction 0) it is exact.

    Args:
        scores: (r, k) float, changed in place where keys are left out.
        targets: (r, k) >= 0, shares y of the whole row, 0 where left out; rows need not add up to 1.
        weights: (r,) >= 0, not all 0.
        correction: (k,) -log pi, >= 0.
        left_out: two (x,) int64, rows and columns of keys outside the softmax: the row's own item, what is visible.

    Returns:
        A scalar, nats.

    Source: Jean et al. 2015, "On using very large target vocabulary", section 3; Bengio and Senecal 2008.
    """
    scores[left_out] = HIDDEN
    targets = targets * correction.exp()
    log_sum = (scores + correction).logsumexp(dim=1)  # (r,)
    losses = targets.sum(dim=1) * log_sum - torch.linalg.vecdot(targets, scores)
    mean: Tensor = (losses * weights).sum() / weights.sum()
    return mean
