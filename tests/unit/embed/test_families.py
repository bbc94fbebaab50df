"""Encoders and decoders of other kinds than the one that we ship: tiny and random, but real folders."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.errors import InputError
from basketlens.pooling import pooled
from tests.unit.embed.conftest import tiny_chinese_bert, tiny_gpt2

CHINESE = ["纯牛奶", "酸牛奶", "巧克力饼干", "红葡萄酒", "米"]
ENGLISH = ["milk", "whole milk", "oat milk chocolate", "tea"]


def load(folder, **options):
    return Encoder.load(Path(folder), EncoderOptions(**options), device="cpu")


def states(folder, ids):
    """The last layer's states of one name, by transformers alone."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0]


@pytest.mark.parametrize(("make", "names", "automatic"), [
    pytest.param(tiny_chinese_bert, CHINESE, "mean", id="chinese-bert"),
    pytest.param(tiny_gpt2, ENGLISH, "last", id="gpt2"),
])  # fmt: skip
def test_poolings_agree_with_one_name_at_a_time(tmp_path, make, names, automatic):
    folder = make(tmp_path / "model")
    assert load(folder).pooling == automatic
    of_state = {"mean": lambda s: s.mean(dim=0), "cls": lambda s: s[0], "last": lambda s: s[-1]}
    for pooling, choose in of_state.items():
        encoder = load(folder, pooling=pooling, normalize=False)
        tokens = encoder.tokenized(names)
        assert len({len(ids) for ids in tokens}) > 1
        made = encoder.encode(tokens, batch_tokens=4096).vectors  # one batch, with padding
        for ids, vector in zip(tokens, made, strict=True):
            assert vector == pytest.approx(choose(states(folder, ids)).numpy(), abs=1e-5)


def test_chinese_names_are_not_all_unknown(tmp_path):
    encoder = load(tiny_chinese_bert(tmp_path / "model"))
    first, second, *_ = encoder.tokenized(CHINESE)
    assert 1 not in first  # [UNK]
    assert first != second
    made = encoder.probe(CHINESE)
    assert len(np.unique(made.round(5), axis=0)) == len(CHINESE)


def test_roberta_has_fewer_positions_than_it_says(tmp_path):
    """Its positions begin after the padding's: the 18 of the configuration take 16 tokens."""
    from transformers import RobertaConfig, RobertaModel

    folder = tiny_gpt2(tmp_path / "model")
    torch.manual_seed(7)
    RobertaModel(
        RobertaConfig(
            vocab_size=320, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            max_position_embeddings=18, pad_token_id=1,
        )
    ).save_pretrained(folder)  # fmt: skip
    encoder = load(folder)
    made = encoder.encode(encoder.tokenized(["tea " * 40, "tea"]))
    assert made.errors == {}
    assert made.tokens == 16 + len(encoder.tokenized(["tea"])[0])


@pytest.mark.parametrize(("modes", "pooling"), [
    ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
    ({"pooling_mode_lasttoken": True}, "last"),
    ({"pooling_mode_max_tokens": True}, None),
    ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, None),
])  # fmt: skip
def test_the_folder_says_how_it_was_trained(tmp_path, modes, pooling):
    folder = tiny_chinese_bert(tmp_path / "model")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **modes}))
    if pooling:
        assert load(folder).pooling == pooling
    else:
        with pytest.raises(InputError, match="another pooling than mean, cls or last"):
            load(folder)
        assert load(folder, pooling="mean").pooling == "mean"


def test_what_stands_in_the_padding_does_not_matter():
    given = torch.tensor([[[1.0, 2], [3, 4]], [[5, 6], [torch.inf, torch.nan]]])
    assert pooled(given, torch.tensor([2, 1]), pooling="mean").tolist() == [[2, 3], [5, 6]]
    assert pooled(given, torch.tensor([2, 1]), pooling="last").tolist() == [[3, 4], [5, 6]]
