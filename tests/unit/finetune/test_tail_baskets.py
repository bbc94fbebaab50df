"""Synthetic baskets: of which items, with which partners, and nothing of what is held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from basketlens.evaluate.split import Cuts, split_by_days
from basketlens.finetune.augmenting import AugmentOptions, augmented
from basketlens.finetune.name_variants import NameOptions
from basketlens.finetune.tail_baskets import TailOptions, tail_baskets
from basketlens.shopping import Items, copurchases

from .shop import shop

TAIL = TailOptions(per_purchase=2.0, low=30, high=45, partners=3, alike=4, prior=10.0)
OFF = NameOptions(variants=2, replaced=0.0, dropped=0.0, shuffled=0.0, words={})


def made(of, options=TAIL, seed=0):
    return tail_baskets(of.vectors, of.counts, of.purchases, options, seed=seed)


def never():
    raise AssertionError("no name is to be read")


def everything(of, train, purchases):
    items = Items(np.array([str(i) for i in range(48)], object), of.vectors, np.full(48, "a, b", object))
    options = AugmentOptions(OFF, 0.5, TAIL)
    return augmented(items, train.held, copurchases(train), purchases, options, never, seed=0)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 30),
    st.integers(0, 6),
    st.sampled_from([0.0, 10.0]),
)
def test_baskets_are_of_tail_items_that_were_bought(seed, low, width, alike, prior):
    of = shop(300, never=(3, 40), seed=seed)
    options = TAIL._replace(low=low, high=low + width, alike=alike, prior=prior)
    found = made(of, options, seed)
    held = found.held.toarray()
    is_tail = (of.purchases >= low) & (of.purchases <= low + width) & (of.purchases > 0)
    assert np.array_equal(np.bincount(found.item, minlength=48), 2 * of.purchases * is_tail)
    assert (held[np.arange(len(held)), found.item] == 1).all()
    assert not held[:, of.purchases == 0].any()
    assert set(np.unique(held)) <= {0, 1}
    assert ((held.sum(axis=1) >= 2) & (held.sum(axis=1) <= 4)).all()
    again = made(of, options, seed)
    assert np.array_equal(again.held.toarray(), held)


def test_partners_are_drawn_by_the_formula():
    of = shop(300)
    item = int(np.argmin(of.purchases))
    options = TailOptions(1000.0, of.purchases[item], of.purchases[item], 1, 4, 10.0)
    found = made(of, options)
    counts, vectors = of.counts.toarray().astype(np.float64), of.vectors.astype(np.float64)
    nearest = [k for k in np.argsort(-(vectors @ vectors[item])) if k != item][:4]
    lent = np.mean([counts[k] / counts[k].sum() for k in nearest], axis=0)
    wanted = counts[item] + 10 * lent
    wanted[item] = 0
    drawn = found.held[np.flatnonzero(found.item == item)].toarray().mean(axis=0)
    drawn[item] = 0
    assert drawn == pytest.approx(wanted / wanted.sum(), abs=0.02)


def test_counts_are_of_the_tail_item_with_its_partners_alone():
    of = shop(300)
    found = made(of)
    wanted = np.zeros((48, 48))
    for item, basket in zip(found.item, found.held.toarray(), strict=True):
        for other in set(np.flatnonzero(basket)) - {item}:
            wanted[item, other] += 1
            wanted[other, item] += 1
    assert np.array_equal(found.counts().toarray(), wanted)
    assert len(made(of, TAIL._replace(per_purchase=0.0)).item) == 0


def test_what_is_held_out_is_never_read():
    of = shop(600)
    cuts = Cuts(validation=400, test=500)
    later = sparse.csr_array(np.vstack([of.baskets.held.toarray()[:400], np.ones((200, 48), np.float32)]))
    splits = [
        split_by_days(baskets, cuts, new_share=0.2, seed=0)
        for baskets in (of.baskets, of.baskets._replace(held=later))
    ]
    a, b = (everything(of, split.train, split.purchases) for split in splits)
    assert a.synthetic > 100
    assert np.array_equal(a.held.toarray(), b.held.toarray())
    assert np.array_equal(a.counts.toarray(), b.counts.toarray())
    assert not a.held.toarray()[:, splits[0].is_new].any()
    assert not a.counts.toarray()[splits[0].is_new].any()


def test_real_baskets_stay_as_they_are():
    of = shop(600)
    found = everything(of, of.baskets, of.purchases)
    assert np.array_equal(found.held[:600].toarray(), of.baskets.held.toarray())
    assert np.array_equal(found.held[600:].toarray(), made(of).held.toarray())
    assert found.facts() == {"further_names": 0, "synthetic_baskets": len(made(of).item)}
