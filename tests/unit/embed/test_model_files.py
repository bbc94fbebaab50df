import pytest

from basketlens.embed.model_files import model_digest
from basketlens.embed.options import EncoderOptions
from basketlens.errors import InputError


@pytest.fixture
def tiny(tmp_path):
    """A folder that looks like a model; a digest does not care what is in it."""
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def digest(folder, **options):
    return model_digest(str(folder), EncoderOptions(**options))


def test_same_files_same_digest(tiny):
    assert digest(tiny) == digest(tiny)
    assert len(digest(tiny)) == 64


def flip(folder):
    (folder / "model.safetensors").write_bytes(b"Model.safetensors")


def rename(folder):
    (folder / "vocab.txt").write_bytes(b"")


def nest(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")


@pytest.mark.parametrize("change", [flip, rename, nest])
def test_any_changed_file_changes_it(tiny, change):
    before = digest(tiny)
    change(tiny)
    assert digest(tiny) != before


def test_how_names_become_vectors_changes_it(tiny):
    options = [
        {},
        {"max_tokens": 64},
        {"pooling": "cls"},
        {"normalize": False},
        {"prompt": "x"},
        {"dtype": "bf16"},
    ]
    assert len({digest(tiny, **one) for one in options}) == len(options)


def test_hidden_files_of_download_tools_do_not(tiny):
    before = digest(tiny)
    (tiny / ".cache").mkdir()
    (tiny / ".cache" / "lock").write_text("2025-01-31")
    assert digest(tiny) == before


def test_pickled_weights_are_refused(tiny):
    (tiny / "model.safetensors").rename(tiny / "pytorch_model.bin")
    with pytest.raises(InputError, match="can run code when loaded"):
        digest(tiny)
