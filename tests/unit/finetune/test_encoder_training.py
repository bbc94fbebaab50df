"""The encoder in a training: a tiny random BERT on a shop whose co-purchases follow from words."""

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy import sparse

from basketlens.errors import InputError
from basketlens.evaluate.evaluation import EvaluateOptions, evaluate
from basketlens.evaluate.split import Cuts
from basketlens.finetune import training
from basketlens.finetune.catalogue import Catalogue
from basketlens.finetune.checkpoint import Checkpoint
from basketlens.finetune.encoder_training import Both, EncoderOptions, Steps, tune_encoder
from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.heads import new_heads
from basketlens.finetune.sampling import KeyOptions, chances_of
from basketlens.shopping import Baskets, Items, copurchases, purchases_of

from .shop import BASKETS, HEADS, PAIRS, SCHEDULE
from .tiny_encoder import WIDTH, tiny_encoder

KINDS, ALIKE, NOISE = 6, 8, 10
WORDS = [f"{word}{kind}" for kind in range(KINDS) for word in "abcd"] + [f"noise{i}" for i in range(NOISE)]


class Shop(NamedTuple):
    names: list[str]  # a word that tells the kind, between words that tell nothing
    baskets: Baskets


def shop(baskets=600, *, seed=0) -> Shop:
    """Baskets over 100 days, each of three items of a kind and one of any."""
    draw = np.random.default_rng(seed)
    n = KINDS * ALIKE
    names = [
        " ".join(
            draw.permutation(
                [f"{'abcd'[i % 4]}{i // ALIKE}", *(f"noise{k}" for k in draw.integers(0, NOISE, 3))]
            )
        )
        for i in range(n)
    ]
    held = np.zeros((baskets, n), dtype=np.float32)
    for row in held:
        kind = draw.integers(KINDS)
        row[kind * ALIKE + draw.choice(ALIKE, 3, replace=False)] = 1
        row[draw.integers(n)] = 1
    days = (np.arange(baskets) * 100 // baskets).astype(np.int32)
    return Shop(names, Baskets(sparse.csr_array(held), np.full(baskets, -1), days))


def tiny(seed=0) -> NameEncoder:
    return tiny_encoder(WORDS, seed=seed)


OPTIONS = EncoderOptions(
    start="pretrained",
    pairs=PAIRS._replace(schedule=SCHEDULE._replace(steps=30)),
    schedule=SCHEDULE._replace(steps=40, learning_rate=5e-3, check_every=10, patience=3),
    learning_rate=5e-3,
    encoded_keys=12,
    residual_dropout=0.3,
    held_out=0.2,
)


def tune(of, encoder, options=OPTIONS, *, seed=0, **more):
    return tune_encoder(encoder, of.names, of.baskets, options, seed=seed, device="cpu", **more)


@pytest.fixture(scope="module")
def tuned():
    of, encoder, curve = shop(), tiny(), []
    return of, encoder, tune(of, encoder, on_step=curve.append), curve


def test_held_out_loss_falls_below_that_of_heads_alone(tuned):
    of, encoder, found, _ = tuned
    assert found.after < found.before - 0.01
    np.testing.assert_array_equal(found.vectors, encoder.vectors(encoder.tokenized(of.names)))
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)


def kinds_apart(vectors):
    """Mean cosine within kinds minus that between them, all vectors centred."""
    x = vectors - vectors.mean(axis=0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    alike = np.equal.outer(np.arange(len(x)) // ALIKE, np.arange(len(x)) // ALIKE)
    np.fill_diagonal(alike, False)
    cosines = x @ x.T
    return cosines[alike].mean() - cosines[~alike].mean()


def test_names_of_one_kind_come_closer(tuned):
    of, _, found, _ = tuned
    before = tiny()
    assert kinds_apart(found.vectors) > kinds_apart(before.vectors(before.tokenized(of.names))) + 0.2


def dense_loss(encoder, heads, tokens, counts, rows):
    """All in float64, one score after the other, every name read, nothing dropped; shares of whole rows."""
    vectors = torch.stack([one(encoder, ids) for ids in tokens])
    white = (vectors - heads.mean) @ heads.matrix
    text = white / white.norm(dim=1, keepdim=True) * vectors.shape[1] ** 0.5
    scale = heads.log_scale.exp() / heads.to_query.out_features**0.5
    known = heads.is_known.double()[:, None]
    q = (heads.to_query(text) + known * heads.query_residual) * scale
    k = heads.to_key(text) + known * heads.key_residual
    b = torch.where(heads.is_known, heads.log_share + heads.bias_residual, heads.text_bias(text))
    total = weights = 0.0
    for i in rows:
        others = [j for j in range(len(tokens)) if j != i]
        scores = torch.stack([q[i] @ k[j] + b[j] for j in others])
        share = torch.tensor([counts[i, j] for j in others]).double() / counts[i].sum()
        total = total - (share * scores.log_softmax(0)).sum() * counts[i].sum() ** 0.5
        weights += counts[i].sum() ** 0.5
    return total / weights


def one(encoder, ids):
    """The vector of a name, alone in its batch."""
    mean = encoder.model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
    return mean / mean.norm()


def test_a_step_that_reads_every_name_has_the_dense_gradient():
    of, encoder = shop(), tiny()
    counts, purchases, tokens = copurchases(of.baskets), purchases_of(of.baskets), encoder.tokenized(of.names)
    plain = HEADS._replace(residual_dropout=0.0, bias_dropout=0.0)
    heads = new_heads(encoder.vectors(tokens), purchases, plain, seed=0)
    n = len(tokens)
    catalogue = Catalogue.of(heads, np.zeros((n, WIDTH), np.float32), purchases, KeyOptions(n, 1.0), plain)
    exact_encoder, exact_heads = copy.deepcopy(encoder).double(), copy.deepcopy(heads).double()
    both = Both(encoder, heads)
    steps = Steps(catalogue, tokens, counts, np.arange(n), n, np.zeros(n))

    found = steps.loss(both, np.random.default_rng(0))
    found.backward()
    wanted = dense_loss(exact_encoder, exact_heads, tokens, counts.toarray(), range(n))
    wanted.backward()

    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    exact = Both(exact_encoder, exact_heads)
    for (name, ours), (_, theirs) in zip(both.named_parameters(), exact.named_parameters(), strict=True):
        if theirs.grad is None:
            assert ours.grad is None, name  # the pooler, which no vector depends on
            continue
        reach = float(theirs.grad.abs().max())
        np.testing.assert_allclose(ours.grad, theirs.grad, atol=2e-4 * reach + 1e-7, err_msg=name)


def test_steps_of_some_rows_and_keys_have_nearly_the_dense_loss_on_average():
    of, encoder = shop(), tiny()
    counts, purchases, tokens = copurchases(of.baskets), purchases_of(of.baskets), encoder.tokenized(of.names)
    plain = HEADS._replace(residual_dropout=0.0, bias_dropout=0.0, initial_scale=1.0)
    heads = new_heads(encoder.vectors(tokens), purchases, plain, seed=0)
    catalogue = Catalogue.of(heads, encoder.vectors(tokens), purchases, KeyOptions(48, 1.0), plain)
    both, chances = Both(encoder, heads), chances_of(np.sqrt(purchases), 20)
    with torch.no_grad():
        steps = Steps(catalogue, tokens, counts, np.arange(48), 24, chances)
        losses = [float(steps.loss(both, np.random.default_rng(seed))) for seed in range(150)]
    exact = copy.deepcopy(encoder).double(), copy.deepcopy(heads).double()
    wanted = dense_loss(*exact, tokens, counts.toarray(), range(48)).item()
    assert np.mean(losses) == pytest.approx(wanted, rel=0.02)


def test_one_seed_is_one_encoder(tuned):
    of, _, found, _ = tuned
    torch.manual_seed(99)
    encoder = tiny()
    torch.manual_seed(100)
    again = tune(of, encoder)
    np.testing.assert_array_equal(again.vectors, found.vectors)
    assert not np.array_equal(tune(of, tiny(), seed=1).vectors, found.vectors)


def test_it_stops_early_and_keeps_the_best():
    of, curve = shop(), []
    wild = OPTIONS._replace(
        schedule=OPTIONS.schedule._replace(steps=200, check_every=5, patience=2), learning_rate=0.05
    )
    found = tune(of, tiny(), wild, on_step=curve.append)
    looks = [(p.held_out, p.step) for p in curve if p.held_out is not None]
    best, at = min(looks)
    assert found.steps == curve[-1].step == at + 10 < 200
    assert found.after == min(best, found.before)


def test_an_encoder_that_no_step_makes_better_is_left_as_it_was():
    of, encoder = shop(), tiny()
    first = copy.deepcopy(encoder.state_dict())
    harmful = OPTIONS._replace(
        schedule=OPTIONS.schedule._replace(steps=5, learning_rate=1.0), learning_rate=1.0
    )
    found = tune(of, encoder, harmful)
    assert found.after == found.before
    assert all(torch.equal(value, first[name]) for name, value in encoder.state_dict().items())
    np.testing.assert_array_equal(found.vectors, encoder.vectors(encoder.tokenized(of.names)))


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [5, 27])
def test_a_killed_training_resumes_to_the_same_curve(tuned, killed_at, tmp_path):
    of, encoder, found, whole = tuned
    checkpoint = Checkpoint(tmp_path, {"seed": 0}, every=10)

    def stop(report):
        if report.step == killed_at:
            raise Killed

    with pytest.raises(Killed):
        tune(of, tiny(), checkpoint=checkpoint, on_step=stop)
    resumed, again = [], tiny()
    result = tune(of, again, checkpoint=checkpoint, on_step=resumed.append)
    assert resumed == whole
    np.testing.assert_array_equal(result.vectors, found.vectors)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in encoder.state_dict().items())


def test_from_scratch_the_weights_are_drawn_by_the_seed():
    of = shop()
    short = OPTIONS._replace(start="scratch", schedule=OPTIONS.schedule._replace(steps=1))
    found = [tune(of, tiny(given), short, seed=seed).vectors for given, seed in [(0, 0), (1, 0), (0, 1)]]
    pretrained = tune(of, tiny(7), short._replace(start="pretrained")).vectors
    np.testing.assert_array_equal(found[0], found[1])  # whatever the weights before
    assert not np.allclose(found[0], found[2])
    assert not np.allclose(found[0], pretrained)


def test_nothing_of_validation_and_test_reaches_the_encoder(monkeypatch):
    """Two histories that differ from validation on give one encoder, and one that differs before gives another."""
    of, cuts = shop(), Cuts(60, 80)
    items = Items(np.array([f"i{i:02d}" for i in range(48)], object), tiny().vectors(tiny().tokenized(of.names)),
                  np.array(of.names, object))  # fmt: skip
    made = []

    def tune_and_tell(*args, **more):
        made.append(tune_encoder(*args, **more).vectors)
        raise Killed  # what comes after is not looked at

    monkeypatch.setattr(training, "tune_encoder", tune_and_tell)
    monkeypatch.setattr(training.NameEncoder, "load", lambda embed: tiny())
    short = OPTIONS._replace(schedule=OPTIONS.schedule._replace(steps=6, check_every=3))
    small = EvaluateOptions(new_share=0.1, max_queries=200, resamples=100, ease_max_items=40)
    options = training.TrainingOptions(
        PAIRS, BASKETS, None, short, None, small, 0.2, 0.2, None, 10, {}, keeps_baskets=False
    )  # fmt: skip
    for first_other_day in (101, 60, 50):
        is_other = of.baskets.days >= first_other_day
        held = of.baskets.held.toarray()
        held[is_other] = np.roll(held[is_other], 5, axis=1)
        baskets = of.baskets._replace(held=sparse.csr_array(held))
        with pytest.raises(Killed):
            evaluate(items, baskets, cuts, training.fit_by(options, "cpu", items), small, 0)
    same, later, earlier = made
    np.testing.assert_array_equal(same, later)
    assert not np.array_equal(same, earlier)


def test_no_later_days_to_stop_by():
    of = shop(60)
    one_day = of.baskets._replace(days=np.zeros(60, np.int32))
    with pytest.raises(InputError, match="0 baskets to learn from, and 60 of the last days"):
        tune(of._replace(baskets=one_day), tiny())
