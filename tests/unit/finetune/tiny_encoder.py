"""A random BERT so small that a test can train it; every word is a token."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel

from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.name_model import Reading

WIDTH = 16


def tiny_encoder(words: Sequence[str], *, seed: int = 0) -> NameEncoder:
    return NameEncoder(_model(words, seed), Reading(_tokenizer(words), "mean", True, ""))


def tiny_folder(folder: Path, words: Sequence[str]) -> Path:
    """The same as a folder that `embed.model` may name."""
    _model(words, 0).save_pretrained(folder)
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    return folder


def _model(words: Sequence[str], seed: int) -> BertModel:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(words) + 1, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16,
    )  # fmt: skip
    return BertModel(config).eval()


def _tokenizer(words: Sequence[str]) -> Tokenizer:
    numbers = {"[PAD]": 0, **{word: i + 1 for i, word in enumerate(words)}}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer
