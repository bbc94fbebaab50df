"""`finetune.scope = "encoder"` through Spark: what is exported is what made the tables."""

import json

import numpy as np
import pytest

from basketlens.errors import LimitError
from basketlens.finetune import encoder_weights
from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.heads import projections
from basketlens.finetune.model_folder import load_trained
from basketlens.settings_files import load_settings
from tests.unit.finetune.test_stage import finetune, given
from tests.unit.finetune.tiny_encoder import WIDTH, tiny_encoder, tiny_folder

WORDS = ["name", *(f"i{i:02d}" for i in range(48))]
THROUGH_ENCODER = [
    "finetune.scope=encoder", "finetune.encoder.steps=30", "finetune.encoder.rows=16", "finetune.encoder.encoded_keys=16",
    "finetune.encoder.learning_rate=0.005", "finetune.encoder.check_every=10", "finetune.encoder.held_out=0.2",
    "finetune.pairs.steps=30",
]  # fmt: skip


def test_weights_pass_in_parts(monkeypatch):
    encoder = tiny_encoder(WORDS)
    monkeypatch.setattr(encoder_weights, "_PART", 1000)
    parts = list(encoder_weights.weight_parts(encoder.model))
    assert max(map(len, parts)) == 1000 < sum(map(len, parts))
    found = encoder_weights.weights_of(parts)
    assert all((found[name] == value).all() for name, value in encoder.model.state_dict().items())
    with pytest.raises(LimitError, match=r"a smaller embed\.model"):
        encoder_weights.check_size(encoder.model)


def test_what_is_exported_made_the_tables(spark, tmp_path):
    io = given(spark, tmp_path)
    folder = tiny_folder(tmp_path / "tiny", WORDS)
    of_model = f"embed.model={folder}"
    finetune(
        io, *THROUGH_ENCODER, of_model, "finetune.export.enabled=true", "finetune.evaluate.enabled=false"
    )

    exported = io.root / "staging" / "model"
    settings = load_settings("base", [f"embed.model={exported}/encoder"], {})
    encoder, trained = NameEncoder.load(settings.embed), load_trained(exported, width=WIDTH)
    before = tiny_encoder(WORDS).model.state_dict()
    assert not all((before[name] == value).all() for name, value in encoder.model.state_dict().items())
    vectors = encoder.vectors(encoder.tokenized([f"name {i}" for i in trained.ids]))
    wanted = projections(trained.heads, vectors)
    rows = {r.item_id: r for r in io.read("projections").collect()}
    for place, item in enumerate(trained.ids):
        np.testing.assert_allclose(rows[item].query, wanted.queries[place], atol=1e-5)
        np.testing.assert_allclose(rows[item].key, wanted.keys[place], atol=1e-5)
        assert rows[item].bias == pytest.approx(wanted.bias[place], abs=1e-5)
    assert io.figures["encoder_after"] < io.figures["encoder_before"]
    assert "trained in 30 steps" in (exported / "model_card.md").read_text()
    assert json.loads((exported / "manifest.json").read_text())["vector_width"] == WIDTH
