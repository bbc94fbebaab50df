import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from basketlens.embed.bert import BertEncoder, _batches
from basketlens.errors import InputError
from basketlens.locations import resolve
from tests.unit.embed.conftest import MODEL


@pytest.fixture(scope="module")
def encoder():
    return BertEncoder.load(MODEL, max_tokens=128, device="cpu")


@pytest.fixture(scope="module")
def vectors(encoder, names):
    return encoder.encode(names, batch_tokens=4096)


def test_agrees_with_transformers_one_name_at_a_time(names, vectors):
    from transformers import AutoTokenizer, BertModel

    folder = resolve(MODEL)
    model, tokenizer = BertModel.from_pretrained(folder).float().eval(), AutoTokenizer.from_pretrained(folder)
    for name, vector in zip(names, vectors, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(name, return_tensors="pt")).last_hidden_state[0]
        wanted = states.mean(dim=0)
        assert float(torch.cosine_similarity(wanted, torch.from_numpy(vector), dim=0)) >= 0.99999


def test_agrees_with_sentence_transformers(names, vectors):
    from sentence_transformers import SentenceTransformer

    wanted = SentenceTransformer(resolve(MODEL), device="cpu").encode(names, normalize_embeddings=True)
    assert (wanted * vectors).sum(axis=1).min() >= 0.9999


def test_norm_is_one(vectors):
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("batch_tokens", [1, 333])
def test_batches_do_not_matter(encoder, names, vectors, batch_tokens):
    assert encoder.encode(names, batch_tokens=batch_tokens) == pytest.approx(vectors, abs=2e-6)


def test_order_is_the_callers(encoder, names, vectors):
    assert encoder.encode(names[::-1], batch_tokens=512) == pytest.approx(vectors[::-1], abs=2e-6)


def test_no_names(encoder):
    assert encoder.encode([], batch_tokens=64).shape == (0, 384)


def test_long_names_are_cut():
    encoder = BertEncoder.load(MODEL, max_tokens=8, device="cpu")
    one, other = encoder.encode(["milk " * 50, "milk " * 60], batch_tokens=64)
    assert one == pytest.approx(other, abs=1e-6)


def test_no_more_tokens_than_the_model_has_positions():
    encoder = BertEncoder.load(MODEL, max_tokens=4096, device="cpu")
    assert encoder.encode(["milk " * 2000], batch_tokens=64).shape == (1, 384)


def test_batches_hold_one_length_within_the_budget():
    lengths = [3, 5, 3, 9, 3, 5]
    assert list(_batches(lengths, 6)) == [[3], [1], [5], [0, 2], [4]]
    assert sorted(i for batch in _batches(lengths, 1) for i in batch) == list(range(6))


def test_missing_weights_are_no_random_vectors(model_copy):
    weights = load_file(model_copy / "model.safetensors")
    del weights["encoder.layer.3.output.dense.weight"]
    save_file(weights, model_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"encoder\.layer\.3\.output\.dense\.weight"):
        BertEncoder.load(str(model_copy), max_tokens=128, device="cpu")


def test_damaged_weights_are_no_nan_vectors(model_copy):
    weights = load_file(model_copy / "model.safetensors")
    weights["encoder.layer.3.output.dense.bias"].fill_(torch.nan)
    save_file(weights, model_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="not finite"):
        BertEncoder.load(str(model_copy), max_tokens=128, device="cpu").encode(["milk"], batch_tokens=64)


def test_code_in_the_folder_does_not_run(model_copy):
    marker = Path(model_copy) / "ran"
    (model_copy / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: ...\n")
    config = json.loads((model_copy / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}
    (model_copy / "config.json").write_text(json.dumps(config))
    BertEncoder.load(str(model_copy), max_tokens=128, device="cpu")
    assert not marker.exists()
