import numpy as np
import pytest
import torch
from scipy import sparse

from basketlens.errors import InputError, SettingsError
from basketlens.finetune.basket_training import train_baskets
from basketlens.finetune.checkpoint import Checkpoint, digest_of, load_state
from basketlens.finetune.heads import projections
from basketlens.finetune.pair_training import train_pairs

from .shop import BASKETS, PAIRS, kind_of, shop


def pairs(of, options=PAIRS, *, seed=0, **more):
    return train_pairs(of.vectors, of.counts, of.purchases, options, seed=seed, device="cpu", **more)


def baskets(of, options=BASKETS, *, seed=0, **more):
    return train_baskets(of.vectors, of.baskets.held, of.purchases, options, seed=seed, device="cpu", **more)


def later(of):
    """Held-out data as either training takes it."""
    return {pairs: of.counts, baskets: of.baskets.held}


def attention(of_heads, item):
    scores = of_heads.queries[item] @ of_heads.keys.T + of_heads.bias
    scores[item] = -np.inf
    return np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()


def test_attention_becomes_the_share_of_copurchases():
    of = shop(1000)
    no_dropout = PAIRS.heads._replace(residual_dropout=0.0, width=32)
    options = PAIRS._replace(heads=no_dropout, schedule=PAIRS.schedule._replace(steps=150, rows=48))
    found = projections(pairs(of, options), of.vectors)
    wanted = of.counts.toarray() / of.counts.sum(axis=1)[:, None]
    off = np.array([np.abs(attention(found, i) - wanted[i]).sum() / 2 for i in range(48)])
    by_popularity = of.purchases / of.purchases.sum()
    assert off.mean() < 0.1  # total variation
    assert np.abs(by_popularity - wanted).sum(axis=1).mean() / 2 > 0.4


@pytest.mark.parametrize("fit", [pairs, baskets])
def test_a_new_item_finds_its_kind_by_its_name(fit):
    of = shop(never=[3])
    found = projections(fit(of), of.vectors)
    nearest = np.argsort(-attention(found, 3))[:5]
    assert sum(kind_of(j) == 0 for j in nearest) >= 4
    # Its own kind finds it too, though it was in no denominator.
    of_kind = attention(found, 4)
    assert of_kind[3] > 1.5 * np.mean(of_kind[8:])


def test_a_basket_is_completed_with_its_kind():
    of = shop()
    found = projections(baskets(of), of.vectors)
    for kind in range(6):
        shown = [kind * 8, kind * 8 + 1]
        scores = found.queries[shown].mean(axis=0) @ found.keys.T + found.bias
        scores[shown] = -np.inf
        assert sum(kind_of(j) == kind for j in np.argsort(-scores)[:5]) >= 4


@pytest.mark.parametrize("fit", [pairs, baskets])
def test_one_seed_is_one_model(fit):
    of = shop()
    torch.manual_seed(1)
    a = fit(of).state_dict()
    torch.manual_seed(2)
    b = fit(of).state_dict()
    c = fit(of, seed=1).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["to_key.weight"], c["to_key.weight"])


class _Killed(Exception):
    pass


def _stop_at(step):
    def stop(progress):
        if progress.step == step:
            raise _Killed

    return stop


@pytest.mark.parametrize("fit", [pairs, baskets])
@pytest.mark.parametrize("killed_at", [1, 25, 40, 59])
def test_a_killed_training_resumes_to_the_same_curve(fit, killed_at, tmp_path):
    of = shop()
    whole, resumed = [], []
    wanted = fit(of, held_out=later(of)[fit], on_step=whole.append).state_dict()
    checkpoint = Checkpoint(tmp_path / "state", {"seed": 0, "steps": 60}, every=10)
    with pytest.raises(_Killed):
        fit(of, held_out=later(of)[fit], checkpoint=checkpoint, on_step=_stop_at(killed_at))
    found = fit(of, held_out=later(of)[fit], checkpoint=checkpoint, on_step=resumed.append).state_dict()
    assert resumed == whole
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    assert len(list((tmp_path / "state").iterdir())) == 2


@pytest.mark.parametrize("fit", [pairs, baskets])
def test_training_stops_early_and_keeps_the_best(fit, tmp_path):
    of = shop()
    options = PAIRS if fit is pairs else BASKETS
    schedule = options.schedule._replace(steps=400, learning_rate=0.3, check_every=5, patience=2)
    options = options._replace(schedule=schedule)
    curve = []
    kept = fit(of, options, held_out=later(of)[fit], on_step=curve.append).state_dict()
    _, best = min((p.held_out, p.step) for p in curve if p.held_out is not None)
    assert curve[-1].step == best + 10 < 400
    checkpoint = Checkpoint(tmp_path, {}, every=best)
    with pytest.raises(_Killed):
        fit(of, options, checkpoint=checkpoint, on_step=_stop_at(best))
    then = load_state(checkpoint).tensors
    assert all(torch.equal(kept[name], then[f"model.{name}"]) for name in kept)


def test_a_checkpoint_of_other_settings(tmp_path):
    of = shop()
    data = digest_of(of.vectors)
    short = PAIRS._replace(schedule=PAIRS.schedule._replace(steps=10))
    pairs(of, short, checkpoint=Checkpoint(tmp_path, {"steps": 10, "data": data}, every=5))
    with pytest.raises(SettingsError, match=r"1 of 2 differ.\n  steps: 60 \(checkpoint has 10\)"):
        pairs(of, checkpoint=Checkpoint(tmp_path, {"steps": 60, "data": data}, every=5))


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "head"])
def test_a_damaged_checkpoint(damage, tmp_path):
    of = shop()
    checkpoint = Checkpoint(tmp_path, {"steps": 10}, every=5)
    short = PAIRS._replace(schedule=PAIRS.schedule._replace(steps=10))
    pairs(of, short, checkpoint=checkpoint)
    (tensors,) = tmp_path.glob("*.safetensors")
    content = bytearray(tensors.read_bytes())
    if damage == "cut":
        tensors.write_bytes(content[:-8])
    elif damage == "flipped":
        content[-1] ^= 1
        tensors.write_bytes(content)
    elif damage == "missing":
        tensors.unlink()
    else:
        (tmp_path / "checkpoint.json").write_text('{"identity": ')
    with pytest.raises(InputError, match="checkpoint cannot be read"):
        pairs(of, short, checkpoint=checkpoint)


def test_arrays_that_differ_have_other_digests():
    a = np.arange(6)
    others = [a.reshape(2, 3), a.astype(np.int32), a + 1, a[::-1]]
    assert len({digest_of(x) for x in [a, *others]}) == 5


def test_nothing_bought_together():
    of = shop()
    alone = sparse.csr_array(np.eye(48, dtype=np.float32).repeat(10, axis=0))
    purchases = np.full(48, 10)
    with pytest.raises(InputError, match="No two items were bought together"):
        pairs(of._replace(counts=sparse.csr_array((48, 48), dtype=np.float32), purchases=purchases))
    with pytest.raises(InputError, match="None of the 480 training baskets has two items"):
        baskets(of._replace(baskets=of.baskets._replace(held=alone), purchases=purchases))


def test_a_training_that_diverges():
    of = shop()
    wild = PAIRS._replace(schedule=PAIRS.schedule._replace(learning_rate=1e30))
    with pytest.raises(InputError, match="Training diverged: the loss of step"):
        pairs(of, wild)
