"""The encoder of a training gives the vectors that `embed` gives, and lets gradients through."""

import numpy as np
import pytest

from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.finetune.encoding import NameEncoder, folder_of
from basketlens.settings_files import load_settings

NAMES = ["FROZEN PIZZA", "milk, 2% fat, private label, 1 gallon", "卫生纸", "eggs", "a"]


@pytest.fixture(scope="module")
def encoder() -> NameEncoder:
    return NameEncoder.load(load_settings("base", [], {}).embed)


def test_vectors_are_those_of_embed(encoder: NameEncoder) -> None:
    embed = load_settings("base", [], {}).embed
    plain = Encoder.load(folder_of(embed), EncoderOptions(dtype="fp32"), device="cpu")

    found = encoder.vectors(encoder.tokenized(NAMES))

    np.testing.assert_allclose(found, plain.encode(plain.tokenized(NAMES)).vectors, atol=1e-5)


def test_a_name_without_tokens_is_padding(encoder: NameEncoder) -> None:
    assert np.isfinite(encoder.vectors([*encoder.tokenized(["milk"]), [encoder.padding]])).all()


def test_gradients_reach_the_first_layer(encoder: NameEncoder) -> None:
    encoder(encoder.tokenized(NAMES))[:, 0].sum().backward()

    first = encoder.model.get_input_embeddings().weight.grad
    assert first is not None
    assert first.abs().sum() > 0
