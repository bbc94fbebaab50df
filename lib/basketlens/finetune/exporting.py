"""The model of a run as a folder: what the tables and the settings say, given to `export`."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load

from basketlens.finetune.encoder_weights import weights_of
from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.export import ExportOptions, export_model
from basketlens.finetune.model_card import Measured, Training
from basketlens.finetune.model_folder import heads_of
from basketlens.settings import EmbedSettings

_EPOCH: Final = dt.date(1970, 1, 1)


def write_model(
    folder: Path,
    weights: bytes,
    encoder_parts: Sequence[bytes],
    *,
    ids: Sequence[str],
    names: Sequence[str],
    facts: Mapping[str, Any],
    measured: Iterable[Measured],
    embed: EmbedSettings,
    options: ExportOptions,
) -> None:
    """Write the model folder.

    Args:
        folder: that must not be there yet.
        weights: of the heads, safetensors.
        encoder_parts: weights of the encoder where it was trained (`weight_parts`), else none.
        ids: of the items that they were trained for, in order.
        names: some items' names, for the comparison with ONNX.
        facts: what the training said of itself.
        measured: for the card.
        embed: how the vectors were made.
        options: what to write.

    Raises:
        InputError: a package is missing, the encoder is of another width, or ONNX and torch differ.
    """
    encoder = NameEncoder.load(embed)
    described = embed.model
    if encoder_parts:
        encoder.model.load_state_dict(weights_of(encoder_parts))
        described += (
            f", trained in {facts['encoder_steps']} steps: held-out loss {facts['encoder_before']:.4f} with heads alone, "
            f"{facts['encoder_after']:.4f} after"
        )
    heads = heads_of(load(weights))
    training = Training(
        described,
        _EPOCH + dt.timedelta(days=facts["first_day"]),
        _EPOCH + dt.timedelta(days=facts["last_day"] + 1),
        baskets=facts["baskets"],
        items=len(ids),
        known_items=int(heads.is_known.sum()),
        measured=list(measured),
    )
    export_model(
        folder, encoder.model, heads, encoder.reading,
        ids=ids, names=names, training=training, options=options,
    )  # fmt: skip
