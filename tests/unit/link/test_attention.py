import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from basketlens.errors import InputError
from basketlens.link import candidates, tiles
from basketlens.link.attention import attend
from basketlens.link.rows import UNKNOWN_KEY
from basketlens.link.shard import Shard
from basketlens.link.softmax import finish, nothing_seen


def whole(
    x,
    *,
    scale=1.0,
    top=3,
    cuts=(),
    groups=None,
    within=None,
    keys=None,
    bias=None,
    is_half=False,
    values=None,
):
    """Attention of x over itself, or over other `keys` of the same items, its keys cut into shards at `cuts`.

    An item of group -1 is of unknown group; as a key its code is another one, as `rows.Reader` has it.
    """
    n, keys = len(x), x if keys is None else keys
    seen = nothing_seen(n, top, like=x, width=0 if values is None else values.shape[1])
    of_keys = None if groups is None else groups.where(groups >= 0, UNKNOWN_KEY)
    for start, end in zip([0, *cuts], [*cuts, n], strict=True):
        at = torch.arange(n) - start
        at[(at < 0) | (at >= end - start)] = -1
        shard = Shard.of(
            keys[start:end],
            first=start,
            bias=None if bias is None else bias[start:end],
            groups=None if of_keys is None else of_keys[start:end],
            values=None if values is None else values[start:end],
            is_half=is_half,
        )
        attend(seen, x, shard, at, scale=scale, groups=groups, within=within)
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
    none = torch.empty(0, 4)
    assert whole(none, top=2).scores.shape == (0, 2)


def test_two_items_share_nothing_with_themselves():
    found = finish(whole(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), top=5))
    assert found.weights.tolist() == [[1, 0, 0, 0, 0]] * 2
    assert found.entropy.tolist() == pytest.approx([0, 0], abs=1e-9)


def test_equal_vectors_rank_by_position_also_at_the_last_rank(monkeypatch):
    monkeypatch.setattr(tiles, "KEY_TILE", 64)
    x = unit(1, 16, 0).repeat(700, 1)  # more equals than the buffer of a tile holds
    seen = whole(x, top=4, cuts=(150, 151))
    assert seen.positions[0].tolist() == [1, 2, 3, 4]
    assert seen.positions[2].tolist() == [0, 1, 3, 4]
    assert seen.positions[699].tolist() == [0, 1, 2, 3]
    assert len(seen.scores.unique()) == 1


def test_crowds_of_equals_are_ranked_before_memory_runs_out(monkeypatch):
    x = torch.cat([torch.zeros(1, 8), unit(30, 8, 1).repeat(60, 1)])  # to the zero vector, all are equal
    sizes = []
    by_row = candidates.Candidates._by_row
    monkeypatch.setattr(
        candidates.Candidates,
        "_by_row",
        lambda self, *a: sizes.append(by_row(self, *a)[0]) or by_row(self, *a),
    )
    monkeypatch.setattr(tiles, "KEY_TILE", 64)
    seen = whole(x, top=3)
    assert seen.positions[:2].tolist() == [[1, 2, 3], [31, 61, 91]]
    assert max(table.shape[1] for table in sizes) <= tiles.widest_row(3)


def test_weights_where_float32_would_overflow_or_round():
    x = unit(50, 8, 2)
    seen, found = whole(x, scale=5000.0, top=49), finish(whole(x, scale=5000.0, top=49))
    s = 5000 * (x.double() @ x.double().T).fill_diagonal_(-math.inf)
    assert torch.allclose(found.log_sum_exp, s.logsumexp(1), rtol=1e-9)
    assert torch.allclose(found.weights, s.softmax(1).gather(1, seen.positions), rtol=1e-6, atol=0)


@pytest.mark.parametrize(("keys", "scale", "message"), [
    pytest.param(torch.zeros(2, 3), 1.0, "one model", id="width"),
    pytest.param(unit(2, 4, 0), 1e38, "float32", id="scale"),
])  # fmt: skip
def test_refusals(keys, scale, message):
    x = unit(2, 4, 0)
    with pytest.raises((ValueError, InputError), match=message):
        attend(nothing_seen(2, 1, like=x), x, Shard.of(keys), torch.arange(2), scale=scale)


def test_a_mask_leaves_tiles_out_and_changes_nothing(monkeypatch):
    """Keys sorted by group: tiles without a key of the queries' groups cost nothing."""
    monkeypatch.setattr(tiles, "KEY_TILE", 8)
    monkeypatch.setattr(tiles, "QUERY_TILE", 8)
    monkeypatch.setattr(tiles, "SMALLEST", 1)
    x, groups = unit(96, 6, 3), torch.arange(96) // 24
    added = []
    add = candidates.Candidates.add
    monkeypatch.setattr(
        candidates.Candidates, "add", lambda self, s, start: added.append(start) or add(self, s, start)
    )
    sorted_by_group = whole(x, groups=groups, within=True, top=30)
    assert len(added) == 12 * 3  # of 12 x 12
    shuffled = torch.randperm(96, generator=torch.Generator().manual_seed(1))
    elsewhere = whole(x[shuffled], groups=groups[shuffled], within=True, top=30)
    assert len(added) > 12 * 9
    assert torch.equal(sorted_by_group.scores[shuffled], elsewhere.scores)
    found, wanted = finish(sorted_by_group).log_sum_exp[shuffled], finish(elsewhere).log_sum_exp
    assert torch.allclose(found, wanted, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 40),
    copies=st.integers(1, 4),
    top=st.integers(1, 60),
    scale=st.sampled_from([1e-3, 0.05, 1.0, 20.0, 300.0]),
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 160), max_size=3),
    sizes=st.sampled_from([(512, 1024), (7, 5), (4, 1)]),
    within=st.sampled_from([None, True, False]),
    steepness=st.sampled_from([None, 0.5, 90.0]),
)
def test_agrees_with_a_dense_float64_softmax(*, n, copies, top, scale, seed, cuts, sizes, within, steepness):
    x = unit(n, 12, seed).repeat(copies, 1)[
        torch.randperm(n * copies, generator=torch.Generator().manual_seed(seed))
    ]
    total = len(x)
    draw = torch.Generator().manual_seed(seed)
    groups = torch.randint(-1, 4, (total,), generator=draw)
    keys, bias = x, None
    if steepness is not None:  # projections; items that were equal stay so, those that were not may become it
        keys = x.roll(5, dims=1) * 1.5
        bias = x.double()[:, 0].round(decimals=1) * steepness
    values = torch.randn(total, 3, generator=draw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "QUERY_TILE", sizes[0])
        patch.setattr(tiles, "KEY_TILE", sizes[1])
        patch.setattr(tiles, "SMALLEST", 1)
        cuts = sorted(min(cut, total) for cut in cuts)
        seen = whole(
            x,
            scale=scale,
            top=top,
            cuts=cuts,
            groups=groups,
            within=within,
            keys=keys,
            bias=bias,
            values=values,
        )
    found = finish(seen)
    assert not any(part.isnan().any() for part in (*seen, *found))
    # Exact products in one order of addition, so that copies tie as numbers do.
    s = (x.double()[:, None, :] * keys.double()[None, :, :]).sum(-1) * scale
    if bias is not None:
        s = s + bias
    s = s.fill_diagonal_(-math.inf)
    s[is_hidden(groups, within)] = -math.inf
    best = s.sort(dim=1, descending=True, stable=True)
    for i in range(total):
        kept = min(top, int((s[i] > -math.inf).sum()))
        assert (seen.positions[i, kept:] == -1).all()
        assert (found.weights[i, kept:] == 0).all()
        assert torch.equal(seen.positions[i, :kept], best.indices[i, :kept])
        assert torch.allclose(seen.scores[i, :kept], best.values[i, :kept], rtol=1e-12)
        if not kept:
            assert (found.log_sum_exp[i], found.entropy[i], found.top_mass[i]) == (-math.inf, 0, 0)
            assert not found.context[i].any()
            continue
        p = s[i].softmax(0)
        assert found.log_sum_exp[i].item() == pytest.approx(s[i].logsumexp(0).item(), abs=1e-5)
        assert torch.allclose(found.weights[i, :kept], p[best.indices[i, :kept]], rtol=1e-5, atol=0)
        assert torch.allclose(found.context[i], p @ values.double(), rtol=0, atol=1e-5)
        assert found.entropy[i].item() == pytest.approx(
            torch.special.entr(p).sum().item(), rel=1e-4, abs=1e-5
        )


def is_hidden(groups, within):
    """(n, n) by the words of the setting: an unknown department has no company, an unknown category is hidden from none."""
    a, b = groups[:, None], groups[None, :]
    are_known = (a >= 0) & (b >= 0)
    return {None: torch.zeros_like(are_known), True: ~(are_known & (a == b)), False: are_known & (a == b)}[
        within
    ]
