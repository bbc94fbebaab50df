"""Other names: what is replaced, left out and moved, and what never is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketlens.finetune.name_variants import (
    NameOptions,
    variants_of,
    with_dropped_words,
    with_replaced_words,
    with_shuffled_parts,
    words_of,
)

WORDS = words_of({"frz": "frozen", "frzn": "frozen", "ss": "single serve"}, {"soft drinks": "soda, pop"})
ALL = NameOptions(variants=4, replaced=0.5, dropped=0.3, shuffled=0.5, words=WORDS)
NAMES = st.text(st.sampled_from("abé卫 ,&'/.1"), max_size=40) | st.sampled_from(
    ["frozen pizza, frozen, grocery, 12 oz", "soft drinks, soda, 8,5 oz", "milk"]
)


def draw():
    return np.random.default_rng(0)


def test_words_stand_for_each_other_either_way():
    assert WORDS["frozen"] == ("frz", "frzn")
    assert WORDS["frz"] == ("frozen", "frzn")
    assert WORDS["single serve"] == ("ss",)
    assert WORDS["pop"] == ("soda", "soft drinks")


@pytest.mark.parametrize(("name", "found"), [
    pytest.param("single serve pizza", "ss pizza", id="several-words-are-one"),
    pytest.param("ss pizza", "single serve pizza", id="the-other-way"),
    pytest.param("ss-pizza, ss", "single serve-pizza, single serve", id="every-place"),
    pytest.param("mess, ss's", "mess, ss's", id="not-within-words"),
    pytest.param("卫生纸 éclair", "卫生纸 éclair", id="none-known"),
    pytest.param("", "", id="empty"),
])  # fmt: skip
def test_replaced_words(name, found):
    assert with_replaced_words(name, WORDS, 1.0, draw()) == found
    assert with_replaced_words(name, WORDS, 0.0, draw()) == name
    assert with_replaced_words(name, {}, 1.0, draw()) == name


@pytest.mark.parametrize("name", ["milk", "卫生纸", "milk, 2% fat, 8,5 oz", "a b c"])
def test_one_word_is_never_dropped(name):
    found = with_dropped_words(name, 1.0, draw())
    assert found in name.replace(",", " ,").split() or found in name.split()
    assert with_dropped_words(name, 0.0, draw()) == name


def test_a_part_without_words_is_left_out():
    drawn = {with_dropped_words("ice cream, frozen", 0.5, np.random.default_rng(seed)) for seed in range(100)}
    assert drawn == {
        "ice cream, frozen", "ice cream", "ice, frozen", "cream, frozen", "ice", "cream", "frozen"
    }  # fmt: skip


def test_a_word_is_dropped_as_often_as_is_asked_for():
    left = [
        len(with_dropped_words("a b c d e f g h i j", 0.2, np.random.default_rng(s)).split())
        for s in range(500)
    ]
    assert np.mean(left) == pytest.approx(8, abs=0.25)


def test_all_orders_are_drawn():
    drawn = {with_shuffled_parts("a, b 8,5, c", np.random.default_rng(seed)) for seed in range(100)}
    assert len(drawn) == 6
    assert "c, b 8,5, a" in drawn


@settings(deadline=None)
@given(NAMES, st.integers(0, 1000))
def test_shuffling_keeps_the_parts(name, seed):
    found = with_shuffled_parts(name, np.random.default_rng(seed))
    assert sorted(found.split(", ")) == sorted(name.split(", "))


@settings(deadline=None)
@given(NAMES, st.integers(0, 1000), st.floats(0, 1))
def test_dropping_keeps_the_order(name, seed, chance):
    words = iter(name.replace(", ", " , ").split())
    found = with_dropped_words(name, chance, np.random.default_rng(seed)).replace(", ", " , ").split()
    assert all(word in words for word in found if word != ",")


@settings(deadline=None)
@given(NAMES, st.integers(0, 1000))
def test_variants_are_different_names(name, seed):
    found = variants_of(name, ALL, seed=seed)
    assert found == variants_of(name, ALL, seed=seed)
    assert len(set(found)) == len(found) <= 4
    assert name not in found
    assert all(other.strip() for other in found)


def test_variants_follow_from_name_and_seed():
    name = "frozen pizza, soft drinks, grocery, 12 oz"
    assert variants_of(name, ALL, seed=0) != variants_of(name, ALL, seed=1)
    assert variants_of(name, ALL._replace(replaced=0.0, dropped=0.0, shuffled=0.0), seed=0) == []
    assert variants_of("milk", ALL, seed=0) == []  # one word, none to stand for it
