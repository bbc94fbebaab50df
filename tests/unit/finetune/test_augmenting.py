"""Further names in a training: read in steps alone, by as many items as is asked for."""

import numpy as np
import pytest
import torch

from basketlens.errors import InputError
from basketlens.finetune.augmenting import AugmentOptions, augmented
from basketlens.finetune.catalogue import Catalogue
from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.further_names import FurtherNames, FurtherText
from basketlens.finetune.heads import new_heads
from basketlens.finetune.name_variants import NameOptions
from basketlens.settings_files import load_settings
from basketlens.shopping import Items

from .shop import BASKETS, HEADS, KEYS, PAIRS, shop
from .test_tail_baskets import TAIL
from .test_training import baskets, later, pairs

NAMES = NameOptions(variants=2, replaced=0.0, dropped=0.5, shuffled=0.0, words={})


def further_of(of, share, seed=1):
    """Names that have nothing to do with the items; item 7 has none, item 8 one."""
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(96, 16)).astype(np.float32)
    at = np.arange(96).reshape(48, 2)
    at[7] = -1
    at[8, 1] = -1
    return FurtherNames(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), at, share)


@pytest.mark.parametrize("fit", [pairs, baskets])
def test_without_a_share_it_is_the_same_training_bit_for_bit(fit):
    of = shop()
    plain, with_none, with_some = (
        fit(of, further=further).state_dict() for further in (None, further_of(of, 0.0), further_of(of, 0.5))
    )
    assert all(torch.equal(plain[name], with_none[name]) for name in plain)
    assert not torch.equal(plain["to_key.weight"], with_some["to_key.weight"])


@pytest.mark.parametrize("fit", [pairs, baskets])
def test_one_seed_is_one_model(fit):
    of = shop()
    a, b = (fit(of, further=further_of(of, 0.5)).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("fit", "options"), [(pairs, PAIRS), (baskets, BASKETS)])
def test_held_out_loss_is_of_true_names(fit, options):
    of = shop()
    still = options._replace(schedule=options.schedule._replace(steps=1, learning_rate=1e-12))
    plain, more = [], []
    fit(of, still, held_out=later(of)[fit], on_step=plain.append)
    fit(of, still, held_out=later(of)[fit], on_step=more.append, further=further_of(of, 1.0))
    assert more[0].held_out == pytest.approx(plain[0].held_out, abs=1e-6)
    assert abs(more[0].loss - plain[0].loss) > 1e-3


def test_only_a_step_reads_further_names():
    of = shop()
    heads = new_heads(of.vectors, of.purchases, HEADS, seed=0)
    further = further_of(of, 1.0)
    plain, more = (
        Catalogue.of(heads, of.vectors, of.purchases, KEYS, HEADS._replace(residual_dropout=0.0), extra)
        for extra in (None, further)
    )
    items = np.arange(48)
    assert torch.equal(more.queries(heads, items, None), plain.queries(heads, items, None))
    in_step = more.queries(heads, items, np.random.default_rng(0))
    by_vectors = of.vectors.copy()
    found = set()
    for item in range(48):
        candidates = [*further.vectors[further.at[item][further.at[item] >= 0]], of.vectors[item]]
        for which, vector in enumerate(candidates):
            by_vectors[item] = vector
            shown = torch.ones(1)
            text = heads.whitened(torch.from_numpy(by_vectors[[item]]))
            if torch.allclose(heads.queries(text, torch.tensor([item]), shown)[0], in_step[item], atol=1e-5):
                found.add((item, which))
    assert len(found) == 48
    assert {which for item, which in found if item == 7} == {0}  # its true name
    assert {which for item, which in found if item not in (7, 8)} == {0, 1}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_the_share_of_items_is_as_asked(share):
    text = FurtherText(torch.ones(1, 1), torch.zeros(1, 1, dtype=torch.int64), share)
    read = text.read(torch.zeros(5000, 1), torch.zeros(5000, dtype=torch.int64), np.random.default_rng(0))
    assert float(read.mean()) == pytest.approx(share, abs=0.02)


def encoder():
    return NameEncoder.load(load_settings("base", [], {}).embed)


def test_names_are_read_by_the_encoder():
    names = np.array(["oat milk, dairy", "bread", "never bought, either", "oat milk, dairy"], object)
    found = FurtherNames.of(names, np.array([1, 1, 0, 1], bool), NAMES, 0.5, encoder, seed=0)
    assert found is not None
    assert (found.at[1] == -1).all()  # one word stays
    assert (found.at[2] == -1).all()  # is not read in training
    assert np.array_equal(found.at[0], found.at[3])
    assert found.vectors.shape == (len({*found.at[0]} - {-1}), 384)
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_embeddings_of_another_encoder():
    of = shop()
    items = Items(np.arange(48).astype(object), of.vectors, np.full(48, "oat milk, dairy", object))
    options = AugmentOptions(NAMES, 0.5, TAIL._replace(per_purchase=0.0))
    with pytest.raises(InputError, match="vectors of 384 numbers, the embeddings 16"):
        augmented(items, of.baskets.held, of.counts, of.purchases, options, encoder, seed=0)
    off = options._replace(share=0.0)
    found = augmented(items, of.baskets.held, of.counts, of.purchases, off, encoder, seed=0)
    assert found.counts is of.counts
    assert found.held is of.baskets.held
    assert found.further is None
