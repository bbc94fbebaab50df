import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from basketlens.batches import batches
from basketlens.embed.arithmetic import has_bf16
from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.errors import InputError
from basketlens.locations import resolve
from tests.unit.embed.conftest import MODEL


def load(folder, **options):
    return Encoder.load(Path(resolve(str(folder))), EncoderOptions(**options), device="cpu")


def encode(encoder, names, batch_tokens=4096):
    return encoder.encode(encoder.tokenized(names), batch_tokens=batch_tokens)


@pytest.fixture(scope="module")
def encoder():
    return load(MODEL, max_tokens=128)


@pytest.fixture(scope="module")
def vectors(encoder, names):
    return encode(encoder, names).vectors


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
    assert encode(encoder, names, batch_tokens).vectors == pytest.approx(vectors, abs=2e-6)


def test_order_is_the_callers(encoder, names, vectors):
    assert encode(encoder, names[::-1], 512).vectors == pytest.approx(vectors[::-1], abs=2e-6)


def test_no_names(encoder):
    assert encode(encoder, []).vectors.shape == (0, 384)


def test_long_names_are_cut():
    encoder = load(MODEL, max_tokens=8)
    one, other = encode(encoder, ["milk " * 50, "milk " * 60], 64).vectors
    assert one == pytest.approx(other, abs=1e-6)


def test_no_more_tokens_than_the_model_has_positions():
    encoder = load(MODEL, max_tokens=4096)
    assert encode(encoder, ["milk " * 2000], 64).vectors.shape == (1, 384)


@pytest.mark.parametrize(("lengths", "budget", "wanted"), [
    pytest.param([3, 5, 3, 9, 3, 5], 6, [[3], [1], [5], [0, 2], [4]], id="a-longer-name-goes-alone"),
    pytest.param([3, 5, 3], 100, [[1, 0, 2]], id="few-of-a-length-take-shorter-ones-along"),
    pytest.param([5, 5, 5, 3], 20, [[0, 1, 2], [3]], id="full-enough-stays-without-padding"),
    pytest.param([], 6, [], id="nothing"),
])  # fmt: skip
def test_batches(lengths, budget, wanted):
    assert list(batches(lengths, budget)) == wanted


def test_missing_weights_are_no_random_vectors(model_copy):
    weights = load_file(model_copy / "model.safetensors")
    del weights["encoder.layer.3.output.dense.weight"]
    save_file(weights, model_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"encoder\.layer\.3\.output\.dense\.weight"):
        load(model_copy)


def test_damaged_weights_are_no_nan_vectors(model_copy):
    weights = load_file(model_copy / "model.safetensors")
    weights["encoder.layer.3.output.dense.bias"].fill_(torch.nan)
    save_file(weights, model_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="not finite"):
        load(model_copy)


def test_code_in_the_folder_does_not_run(model_copy):
    marker = Path(model_copy) / "ran"
    (model_copy / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: ...\n")
    config = json.loads((model_copy / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}
    (model_copy / "config.json").write_text(json.dumps(config))
    load(model_copy)
    assert not marker.exists()


def test_a_batch_that_does_not_fit_the_memory_is_halved(encoder, names, vectors, monkeypatch):
    passes = []

    def short_of_memory(module, args, kwargs):
        passes.append(kwargs["input_ids"].numel())
        if passes[-1] > 100:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(encoder, "_budget", 1 << 62)
    handle = encoder._model.register_forward_pre_hook(short_of_memory, with_kwargs=True)
    try:
        made = encode(encoder, names)
        assert made.vectors == pytest.approx(vectors, abs=2e-6)
        assert made.errors == {}
        passes.clear()
        encode(encoder, names)
        assert max(passes) <= 100  # what was learnt holds for the next batches
        alone = encode(encoder, ["milk " * 120, "milk"])
        assert list(alone.errors) == [0]
        assert alone.errors[0].startswith("OutOfMemoryError: CUDA out of memory")
        assert np.linalg.norm(alone.vectors, axis=1) == pytest.approx([0, 1], abs=1e-6)
    finally:
        handle.remove()


def test_a_name_that_fails_alone_stops_no_other(encoder, names, vectors):
    def fails(module, args, kwargs):
        if (kwargs["input_ids"] == poison).any():
            raise RuntimeError("no kernel for this one")

    tokens = encoder.tokenized([*names, "zucchini"])
    poison = tokens[-1][1]
    handle = encoder._model.register_forward_pre_hook(fails, with_kwargs=True)
    try:
        made = encoder.encode(tokens, batch_tokens=4096)
    finally:
        handle.remove()
    assert len(names) in made.errors
    others = [i for i in range(len(names)) if i not in made.errors]
    assert len(others) > len(names) // 2
    assert made.vectors[others] == pytest.approx(vectors[others], abs=2e-6)


def test_what_the_model_cannot_read_is_an_error_of_its_own(encoder):
    made = encoder.encode([[101, 2501, 102], [], [101, 999_999, 102]])
    assert made.errors == {
        1: "the tokenizer makes no token of it",
        2: "token 999999 is beyond the model's vocabulary of 30522",
    }
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx([1, 0, 0], abs=1e-6)


def test_work_is_counted(encoder):
    made = encode(encoder, ["milk", "whole milk"], 64)
    assert (made.tokens, made.padded) == (3 + 4, 4 + 4)  # [CLS] milk [SEP]
    per_token = 2 * 6 * (4 * 384 * 384 + 2 * 384 * 1536)
    assert made.flops == 8 * (per_token + 4 * 6 * 384 * 4)


def test_bf16_is_near_to_fp32(names, vectors):
    encoder = load(MODEL, dtype="bf16")
    made = encode(encoder, names).vectors
    assert encoder.arithmetic.dtype == "bf16"
    assert (made * vectors).sum(axis=1).min() >= 0.999
    assert 0.999 <= encoder.arithmetic.parity < 1


def test_fp32_is_exact_and_has_a_peak(encoder):
    assert encoder.arithmetic.dtype == ("bf16" if has_bf16("cpu") else "fp32")
    assert encoder.arithmetic.peak > 1e9


def test_prompt_and_length(encoder, vectors, names):
    prompted = load(MODEL, prompt="passage: ", normalize=False)
    made = encode(prompted, ["milk"]).vectors[0]
    [wanted] = encode(encoder, ["passage: milk"]).vectors
    assert made / np.linalg.norm(made) == pytest.approx(wanted, abs=2e-6)
    assert abs(np.linalg.norm(made) - 1) > 0.01
