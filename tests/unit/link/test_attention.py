import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from basketlens.link import attention, candidates
from basketlens.link.attention import attend, finish, merge, nothing_seen


def whole(x, *, scale=1.0, top=3, cuts=()):
    """Attention of x over itself, its keys cut into shards at `cuts`."""
    n = len(x)
    seen = nothing_seen(n, top, like=x)
    for start, end in zip([0, *cuts], [*cuts, n], strict=True):
        at = torch.arange(n) - start
        at[(at < 0) | (at >= end - start)] = -1
        seen = merge(seen, attend(x, x[start:end], at, scale=scale, top=top, first_position=start))
    return seen


def unit(n, d, seed):
    return torch.nn.functional.normalize(
        torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def test_three_items_by_hand():
    x = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    seen = whole(x, top=2)
    assert seen.positions.tolist() == [[1, 2], [2, 0], [1, 0]]
    assert seen.scores[0].tolist() == pytest.approx([0.6, 0.0], abs=1e-7)
    found = finish(seen)
    assert found.log_sum_exp[0].item() == pytest.approx(math.log(math.exp(0.6) + 1))
    p = math.exp(0.6) / (math.exp(0.6) + 1)
    assert found.weights[0].tolist() == pytest.approx([p, 1 - p])
    assert found.entropy[0].item() == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p), rel=1e-5)
    assert found.top_mass.tolist() == pytest.approx([1, 1, 1])


def test_one_item_has_no_neighbour_and_no_nan():
    seen = whole(torch.tensor([[1.0, 0.0]]), top=2)
    found = finish(seen)
    assert seen.positions.tolist() == [[-1, -1]]
    assert found.log_sum_exp.tolist() == [-math.inf]
    assert [*found.weights[0].tolist(), found.top_mass.item(), found.entropy.item()] == [0, 0, 0, 0]


def test_no_query_at_all():
    assert attend(
        torch.empty(0, 4), torch.empty(0, 4), torch.empty(0, dtype=torch.int64), scale=1.0, top=2
    ).scores.shape == (0, 2)


def test_two_items_share_nothing_with_themselves():
    found = finish(whole(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), top=5))
    assert found.weights.tolist() == [[1, 0, 0, 0, 0]] * 2
    assert found.entropy.tolist() == pytest.approx([0, 0], abs=1e-9)


def test_equal_vectors_rank_by_position_also_at_the_last_rank(monkeypatch):
    monkeypatch.setattr(attention, "KEY_TILE", 64)
    x = unit(1, 16, 0).repeat(700, 1)  # more equals than the buffer of a tile holds
    seen = whole(x, top=4, cuts=(150, 151))
    assert seen.positions[0].tolist() == [1, 2, 3, 4]
    assert seen.positions[2].tolist() == [0, 1, 3, 4]
    assert seen.positions[699].tolist() == [0, 1, 2, 3]
    assert len(seen.scores.unique()) == 1


def test_crowds_of_equals_are_ranked_before_memory_runs_out(monkeypatch):
    x = unit(30, 8, 1).repeat(30, 1)
    sizes = []
    by_row = candidates.Candidates._by_row
    monkeypatch.setattr(
        candidates.Candidates, "_by_row", lambda self, *a: sizes.append(len(self._rows)) or by_row(self, *a)
    )
    monkeypatch.setattr(attention, "KEY_TILE", 64)
    seen = whole(x, top=3)
    assert seen.positions[0].tolist() == [30, 60, 90]
    assert max(sizes) < 2 * 3 * 512 + 512 * 64  # the limit and one tile, of 512 x 900 scores


def test_weights_where_float32_would_overflow_or_round():
    x = unit(50, 8, 2)
    seen, found = whole(x, scale=5000.0, top=49), finish(whole(x, scale=5000.0, top=49))
    s = 5000 * (x.double() @ x.double().T).fill_diagonal_(-math.inf)
    assert torch.allclose(found.log_sum_exp, s.logsumexp(1), rtol=1e-9)
    assert torch.allclose(found.weights, s.softmax(1).gather(1, seen.positions), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("change", "message"), [
    pytest.param({"keys": torch.zeros(2, 3)}, "one model", id="width"),
    pytest.param({"top": 0}, "top must be", id="top"),
    pytest.param({"scale": 1e38}, "float32", id="scale"),
])  # fmt: skip
def test_refusals(change, message):
    x = unit(2, 4, 0)
    given = {"queries": x, "keys": x, "self_at": torch.arange(2), "scale": 1.0, "top": 1, **change}
    with pytest.raises(ValueError, match=message):
        attend(given["queries"], given["keys"], given["self_at"], scale=given["scale"], top=given["top"])


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    copies=st.integers(1, 4),
    top=st.integers(1, 60),
    scale=st.sampled_from([1e-3, 0.05, 1.0, 20.0, 300.0]),
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 160), max_size=3),
    tiles=st.sampled_from([(512, 1024), (7, 5), (1, 1)]),
)
def test_agrees_with_a_dense_float64_softmax(*, n, copies, top, scale, seed, cuts, tiles):
    x = unit(n, 12, seed).repeat(copies, 1)[
        torch.randperm(n * copies, generator=torch.Generator().manual_seed(seed))
    ]
    total = len(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "QUERY_TILE", tiles[0])
        patch.setattr(attention, "KEY_TILE", tiles[1])
        seen = whole(x, scale=scale, top=top, cuts=sorted(min(cut, total) for cut in cuts))
    found = finish(seen)
    assert not any(part.isnan().any() for part in (*seen, *found))
    kept = min(top, total - 1)
    assert (seen.positions[:, kept:] == -1).all()
    if total == 1:
        return
    # Exact products in one order of addition, so that copies tie as numbers do.
    s = (x.double()[:, None, :] * x.double()[None, :, :]).sum(-1) * scale
    s = s.fill_diagonal_(-math.inf)
    best = s.sort(dim=1, descending=True, stable=True)
    assert torch.equal(seen.positions[:, :kept], best.indices[:, :kept])
    assert torch.allclose(seen.scores[:, :kept], best.values[:, :kept], rtol=1e-12)
    p = s.softmax(1)
    assert torch.allclose(found.log_sum_exp, s.logsumexp(1), rtol=0, atol=1e-5)
    assert torch.allclose(found.weights[:, :kept], p.gather(1, best.indices[:, :kept]), rtol=1e-5, atol=0)
    assert torch.allclose(found.entropy, torch.special.entr(p).sum(1), rtol=1e-4, atol=1e-5)
