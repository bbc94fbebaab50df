import itertools

import numpy as np
import pytest
import torch

from basketlens.finetune.loss import HIDDEN, row_loss

NOTHING = (torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))


def case(r, k, seed):
    """Scores, targets that add up to 1, weights; each row's own key, at its number, is no target."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(r, k)) * 3
    targets = draw.random((r, k)) * (draw.random((r, k)) < 0.6) + 1e-3
    targets[np.arange(r), np.arange(r)] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    return scores, targets, draw.random(r) + 0.1


def dense(scores, targets, weights, left_out):
    """The loss in float64, one row after the other, keys that are left out taken away."""
    total = 0.0
    for i, weight in enumerate(weights):
        stays = [j for j in range(scores.shape[1]) if (i, j) not in left_out]
        z = sum(np.exp(scores[i, j]) for j in stays)
        total += weight * sum(targets[i, j] * (np.log(z) - scores[i, j]) for j in stays)
    return total / weights.sum()


@pytest.mark.parametrize("seed", range(5))
def test_with_all_keys_it_is_the_dense_loss(seed):
    scores, targets, weights = case(6, 9, seed)
    itself = torch.arange(6)
    found = row_loss(
        *(torch.tensor(x) for x in (scores, targets, weights)),
        torch.zeros(9, dtype=torch.float64),
        (itself, itself),
    )
    assert found.item() == pytest.approx(
        dense(scores, targets, weights, {(i, i) for i in range(6)}), rel=1e-12
    )


def test_float32_is_close_to_the_dense_loss():
    scores, targets, weights = case(50, 400, 7)
    found = row_loss(
        *(torch.tensor(x).float() for x in (scores, targets, weights)), torch.zeros(400), NOTHING
    )
    assert found.item() == pytest.approx(dense(scores, targets, weights, set()), rel=1e-5)


def test_gradients():
    scores, targets, weights = (torch.tensor(x) for x in case(4, 6, 3))
    correction = torch.tensor([0, 0, 0, 0, 1.4, 1.4], dtype=torch.float64)
    itself = torch.arange(4)

    def loss(s):
        return row_loss(s * 1.0, targets, weights, correction, (itself, itself))

    assert torch.autograd.gradcheck(loss, scores.clone().requires_grad_())


def test_a_key_left_out_has_no_gradient_and_no_say():
    scores, targets, weights = (torch.tensor(x) for x in case(3, 5, 1))
    leaf = scores.clone().requires_grad_()
    other = scores.clone()
    other[0, 0] = 500.0
    at = (torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]))
    zeros = torch.zeros(5, dtype=torch.float64)
    loss = row_loss(leaf * 1.0, targets, weights, zeros, at)
    loss.backward()
    assert leaf.grad[at].tolist() == [0, 0, 0]
    assert row_loss(other, targets, weights, zeros, at).item() == loss.item()
    assert HIDDEN < -1e20


def test_a_row_pulls_as_much_as_it_pushes():
    scores, targets, weights = (torch.tensor(x) for x in case(4, 7, 2))
    leaf = scores.clone().requires_grad_()
    correction = torch.linspace(0, 1.5, 7, dtype=torch.float64)
    row_loss(leaf * 1.0, targets, weights, correction, NOTHING).backward()
    assert leaf.grad.sum(dim=1).tolist() == pytest.approx([0] * 4, abs=1e-12)


def test_denominator_and_targets_are_unbiased():
    """Over every sample of 2 of 4 keys."""
    scores, targets, _ = case(1, 7, 11)
    z, linear = [], []
    for sampled in itertools.combinations([3, 4, 5, 6], 2):
        at = [0, 1, 2, *sampled]
        correction = np.log([1, 1, 1, 2, 2])
        z.append(np.exp(scores[0, at] + correction).sum())
        linear.append((targets[0, at] * np.exp(correction) * scores[0, at]).sum())
    assert np.mean(z) == pytest.approx(np.exp(scores[0]).sum(), rel=1e-12)
    assert np.mean(linear) == pytest.approx((targets[0] * scores[0]).sum(), rel=1e-12)


def test_a_sample_of_the_keys_gives_nearly_the_dense_loss():
    scores, targets, weights = case(30, 600, 5)
    draw = np.random.default_rng(0)
    losses = []
    for _ in range(300):
        at = np.r_[:100, draw.choice(np.arange(100, 600), 125, replace=False)]
        correction = np.where(at < 100, 0.0, np.log(4))
        parts = (scores[:, at], targets[:, at], weights, correction)
        losses.append(row_loss(*(torch.tensor(x) for x in parts), NOTHING).item())
    assert np.mean(losses) == pytest.approx(dense(scores, targets, weights, set()), rel=0.02)
