"""Rooms of names through one encoder: in order, each name once, tokenised while the model works."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from basketlens.embed.core import embedded
from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.locations import resolve
from tests.unit.embed.conftest import MODEL


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load(Path(resolve(MODEL)), EncoderOptions(), device="cpu")


def run(rooms, encoder):
    return list(embedded(iter(rooms), lambda: encoder, batch_tokens=0, clock=time.monotonic))


def test_rooms_come_back_in_order_and_a_name_that_repeats_has_one_vector(encoder):
    [(first, a), (second, b)] = run(
        [("x", ["milk", None, "milk", "bread"]), ("y", ["eggs", "bread"])], encoder
    )

    assert (first, second) == ("x", "y")
    assert list(a.errors) == [None, "there is no name", None, None]
    np.testing.assert_array_equal(a.vectors[0], a.vectors[2])
    np.testing.assert_allclose(a.vectors[3], b.vectors[1], atol=1e-6)


def test_the_next_room_is_tokenised_while_the_model_works_on_the_one_before(encoder, monkeypatch):
    """Each room's forward pass waits for the next room's tokens: in turn it would wait for ever."""
    tokenised = {"milk": threading.Event(), "bread": threading.Event(), "eggs": threading.Event()}
    follows = {"milk": "bread", "bread": "eggs"}
    names_of = {}
    tokenized, encode = encoder.tokenized, encoder.encode

    def say_when_tokenised(names):
        found = tokenized(names)
        names_of[id(found)] = names[0]
        tokenised[names[0]].set()
        return found

    def wait_for_the_next(ids, **options):
        follower = follows.get(names_of[id(ids)])
        assert follower is None or tokenised[follower].wait(20)
        return encode(ids, **options)

    monkeypatch.setattr(encoder, "tokenized", say_when_tokenised)
    monkeypatch.setattr(encoder, "encode", wait_for_the_next)

    assert len(run([(name, [name]) for name in tokenised], encoder)) == 3
