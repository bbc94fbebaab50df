"""A trained model as a folder that can be carried elsewhere."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from basketlens import __version__
from basketlens.errors import InputError
from basketlens.finetune.export_onnx import (
    OPSET,
    PARITY_NAMES,
    Parity,
    check_parity,
    require_onnx,
    tokenized,
    write_onnx,
)
from basketlens.finetune.heads import Heads
from basketlens.finetune.manifest import write_manifest
from basketlens.finetune.model_card import Training, model_card
from basketlens.finetune.name_model import NameModel, Reading

ENCODER: Final = "encoder"  # itself a folder that embed.model may name
HEADS: Final = "heads.safetensors"
ITEMS: Final = "items.json"
ONNX: Final = "names.onnx"
STATE: Final = "model.pth"
FORMAT: Final = 1
_POOLING: Final = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}


class ExportOptions(NamedTuple):
    """What the folder holds beside weights, tokenizer, card and manifest."""

    onnx: bool  # the graph from tokens to vectors; needs the extra `export`
    state_dict: bool  # all weights once more, as torch saves them


def export_model(
    folder: Path,
    encoder: Any,
    heads: Heads,
    reading: Reading,
    *,
    ids: Sequence[str],
    names: Sequence[str],
    training: Training,
    options: ExportOptions,
) -> None:
    """Write the folder, whole or not at all.

    Args:
        folder: must not be there yet, or be empty.
        encoder: a transformer as `AutoModel` reads it, of width d.
        heads: of width d, for n items.
        reading: how `encoder` was used when `heads` were trained.
        ids: n items, in the order of the heads.
        names: of items, for the comparison with ONNX; the first 500 are used.
        training: for the card.
        options: what to write.

    Raises:
        InputError: the folder is not empty, the parts do not fit each other, a package is missing, or ONNX and torch
            differ.
    """
    _check(folder, encoder, heads, ids, names, options)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir(parents=True)
    padded = reading._replace(tokenizer=_padding(reading.tokenizer, encoder))
    _write_encoder(partial / ENCODER, encoder, padded)
    _write_heads(partial, heads, ids)
    if options.state_dict:
        parts = {ENCODER: encoder, "heads": heads}
        torch.save({name: _weights(part) for name, part in parts.items()}, partial / STATE)
    parity = (
        _write_onnx(partial / ONNX, NameModel(encoder, heads, padded), padded, names)
        if options.onnx
        else None
    )
    (partial / "model_card.md").write_text(model_card(training, _notes(parity)), encoding="utf-8")
    write_manifest(partial, _facts(encoder, heads, reading, parity))
    partial.replace(folder)


def _check(
    folder: Path, encoder: Any, heads: Heads, ids: Sequence[str], names: Sequence[str], options: ExportOptions
) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"A model cannot be written to {folder}: it is there already.\n  Next: name a new folder"
        )
    width, wanted = encoder.config.hidden_size, heads.to_query.in_features
    if width != wanted:
        raise InputError(
            f"Encoder and heads do not belong together: the encoder gives vectors of width {width}, the heads were "
            f"trained on {wanted}.\n  Next: export the heads with the encoder that made their embeddings"
        )
    if len(ids) != len(heads.is_known) or not names:
        raise InputError(
            f"The heads know {len(heads.is_known)} items; {len(ids)} ids and {len(names)} names were given.\n"
            "  Next: give the items that the heads were trained on"
        )
    if options.onnx:
        require_onnx()


def _padding(tokenizer: Tokenizer, encoder: Any) -> Tokenizer:
    """A copy that pads every batch to its longest name, so that it serves without settings elsewhere."""
    padded: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
    pad = encoder.config.pad_token_id or 0
    padded.enable_padding(
        direction="right", pad_id=pad, pad_token=padded.id_to_token(pad) or "[PAD]", length=None
    )
    return padded


def _write_encoder(folder: Path, encoder: Any, reading: Reading) -> None:
    encoder.save_pretrained(folder, safe_serialization=True)
    reading.tokenizer.save(str(folder / "tokenizer.json"))
    pooling = {f"pooling_mode_{mode}": name == reading.pooling for name, mode in _POOLING.items()}
    (folder / "1_Pooling").mkdir()
    said = {"word_embedding_dimension": encoder.config.hidden_size, **pooling}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def _write_heads(folder: Path, heads: Heads, ids: Sequence[str]) -> None:
    save_file(_weights(heads), str(folder / HEADS))
    (folder / ITEMS).write_text(json.dumps(list(ids), ensure_ascii=False) + "\n", encoding="utf-8")


def _weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().cpu().contiguous() for name, weight in module.state_dict().items()}


def _write_onnx(path: Path, model: NameModel, reading: Reading, names: Sequence[str]) -> Parity:
    """The example has two names and more: the exporter takes a size of 1 for a constant."""
    write_onnx(model, tokenized(["tortilla chips, 13 oz", "salsa"], reading), path)
    return check_parity(model, path, names[:PARITY_NAMES], reading)


def _notes(parity: Parity | None) -> list[str]:
    if parity is None:
        return ["ONNX: not written"]
    return [
        f"ONNX: {ONNX}, opset {OPSET}, tokens to embedding, query, key and bias of a name alone; on {parity.names} "
        f"names it differs from torch by {parity.error:.1e} at most"
    ]


def _facts(encoder: Any, heads: Heads, reading: Reading, parity: Parity | None) -> Mapping[str, Any]:
    return {
        "format": FORMAT,
        "basketlens": __version__,
        "reading": {"pooling": reading.pooling, "normalize": reading.normalize, "prompt": reading.prompt},
        "vector_width": encoder.config.hidden_size,
        "head_width": heads.to_query.out_features,
        "items": len(heads.is_known),
        "onnx": None
        if parity is None
        else {"opset": OPSET, "names": parity.names, "max_abs_error": parity.error},
    }
