import numpy as np
import pytest
import torch

from basketlens.errors import InputError
from basketlens.finetune.heads import new_heads, projections

from .shop import HEADS, shop


def trained_by_chance(of, seed=3):
    """Heads whose every weight is something else than where training starts."""
    heads = new_heads(of.vectors, of.purchases, HEADS, seed=0)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in heads.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=draw))
    return heads


@pytest.mark.parametrize("text_only", [False, True])
def test_projections_are_the_formula(text_only):
    of = shop(never=[5])
    heads = trained_by_chance(of)
    found = projections(heads, of.vectors, text_only=text_only)
    w = {name: value.double().numpy() for name, value in heads.state_dict().items()}
    share = of.purchases / of.purchases.sum()
    for i, j in [(0, 1), (5, 9), (9, 5), (47, 47)]:
        e = []
        for item in (i, j):
            white = (of.vectors[item] - w["mean"]) @ w["matrix"]
            e.append(white / np.linalg.norm(white) * np.sqrt(16))
        m = [0 if text_only else float(of.purchases[item] >= 5) for item in (i, j)]
        q = w["to_query.weight"] @ e[0] + m[0] * w["query_residual"][i]
        k = w["to_key.weight"] @ e[1] + m[1] * w["key_residual"][j]
        if m[1]:
            b = np.log(share[j]) + w["bias_residual"][j]
        else:
            b = heads.text_bias(torch.tensor(e[1][None]).float()).item()
        wanted = np.exp(w["log_scale"]) * (q @ k) / np.sqrt(8) + b
        assert found.queries[i] @ found.keys[j] + found.bias[j] == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_residuals_of_rare_items_are_never_read():
    of = shop(never=[5, 6])
    heads = trained_by_chance(of)
    before = projections(heads, of.vectors)
    with torch.no_grad():
        for residual in (heads.query_residual, heads.key_residual, heads.bias_residual):
            residual[[5, 6]] = 1e6
    after = projections(heads, of.vectors)
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a, b)


def test_first_weights_follow_from_the_seed_alone():
    of = shop()
    torch.manual_seed(1)
    a = new_heads(of.vectors, of.purchases, HEADS, seed=4).state_dict()
    torch.manual_seed(2)
    b = new_heads(of.vectors, of.purchases, HEADS, seed=4).state_dict()
    c = new_heads(of.vectors, of.purchases, HEADS, seed=5).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["to_query.weight"], c["to_query.weight"])


def test_too_few_baskets():
    of = shop(3)
    with pytest.raises(InputError, match="none of 48 items was bought 5 times"):
        new_heads(of.vectors, of.purchases, HEADS, seed=0)
