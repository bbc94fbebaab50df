"""Bounds on scores hold, and the strongest keys are the same whatever the scores are computed in."""

import pytest
import torch

from basketlens.link import precision
from basketlens.link.precision import operands
from basketlens.link.shard import Shard
from basketlens.link.softmax import finish
from tests.unit.link.test_attention import unit, whole


def names_like(n, d=384):
    """Unit vectors in tight clusters about one direction, as product names have them."""
    centres = unit(n // 20, d, 1) + 2 * unit(1, d, 2)
    return torch.nn.functional.normalize(centres.repeat(20, 1) + 0.3 * unit(n // 20 * 20, d, 3), dim=1)


def near_ties(n, d=32):
    """Vectors that differ in the last bits of float32: to bfloat16 they are one."""
    x = unit(1, d, 4).repeat(n, 1)
    return x * (1 + torch.randn(n, d, generator=torch.Generator().manual_seed(5)) * 2.0**-22)


WORLDS = {
    "names": (names_like(800), 384**-0.5, None),
    "ties": (near_ties(600), 0.2, None),
    "cosine": (names_like(400, 64), 1.0, None),
    "long": (unit(300, 16, 6) * 40, 0.01, None),
    "biased": (unit(300, 16, 7), 0.5, torch.linspace(-3, 3, 300, dtype=torch.float64)),
    "tiny": (unit(200, 16, 8) * 1e-21, 1.0, None),
    "zero": (torch.zeros(50, 8), 1.0, None),
}


@pytest.mark.parametrize("world", WORLDS)
def test_bfloat16_keeps_the_same_keys_with_the_same_scores(monkeypatch, world):
    monkeypatch.setattr(precision, "HALF_ERROR", 1e9)
    x, scale, bias = WORLDS[world]
    plain, half = (whole(x, scale=scale, top=20, bias=bias, is_half=h) for h in (False, True))
    assert torch.equal(plain.positions, half.positions)
    assert torch.equal(plain.scores, half.scores)
    assert (half.error > plain.error).all() or world == "zero"
    assert torch.allclose(finish(plain).log_sum_exp, finish(half).log_sum_exp, rtol=0, atol=half.error.max())


@pytest.mark.parametrize("is_half", [False, True])
@pytest.mark.parametrize("world", WORLDS)
def test_no_score_is_further_off_than_the_bound(monkeypatch, world, is_half):
    monkeypatch.setattr(precision, "HALF_ERROR", 1e9)
    x, scale, bias = WORLDS[world]
    of = operands(x, Shard.of(x, bias=bias, is_half=is_half), scale=scale)
    s = (of.queries @ of.keys.T.to(of.queries.dtype)).float()
    exact = x.double() @ x.double().T * scale
    if bias is not None:
        s += bias
        exact += bias
    assert (s - exact).abs().max() <= of.error
    if is_half and world in ("names", "cosine", "long"):
        assert of.error < 20 * (s - exact).abs().max()  # no more candidates than needed


@pytest.mark.parametrize(("length", "kind"), [
    pytest.param(1.0, torch.bfloat16, id="half"),
    pytest.param(10.0, torch.float32, id="half-would-miss-by-too-much"),
    pytest.param(100.0, torch.float64, id="large"),
])  # fmt: skip
def test_precision_follows_the_scores(length, kind):
    x = unit(20, 16, 9) * length
    assert operands(x, Shard.of(x, is_half=True), scale=0.1).queries.dtype == kind
