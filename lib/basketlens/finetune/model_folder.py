"""Reading a model folder: nothing of it is used before its manifest agrees, and no code of it ever runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

from basketlens.errors import InputError
from basketlens.finetune.export import FORMAT, HEADS, ITEMS, STATE
from basketlens.finetune.heads import HeadOptions, Heads
from basketlens.finetune.manifest import verified
from basketlens.finetune.whitening import Whitening


class Trained(NamedTuple):
    """What a folder holds beside its encoder."""

    ids: list[str]  # n items, in the order of the heads
    heads: Heads  # on the processor, ready to compute


def load_trained(folder: Path, *, width: int) -> Trained:
    """The heads and their items.

    Args:
        folder: that `export_model` wrote.
        width: of the name vectors that they are to read.

    Raises:
        InputError: the folder is not as it was written, of another width, or of a later version.
    """
    manifest = verified(folder)
    if manifest.get("format") != FORMAT:
        raise InputError(
            f"The model in {folder} is of format {manifest.get('format')}; this version reads {FORMAT}.\n"
            "  Next: use the version of BasketLens that wrote it, or train again"
        )
    if manifest["vector_width"] != width:
        raise InputError(
            f"The model in {folder} reads vectors of width {manifest['vector_width']}, but the embeddings here have "
            f"width {width}.\n  Next: --set embed.model={folder}/encoder, or train again on these embeddings"
        )
    heads = heads_of(load_file(str(folder / HEADS)))
    return Trained(json.loads((folder / ITEMS).read_text(encoding="utf-8")), heads)


def heads_of(weights: Mapping[str, torch.Tensor]) -> Heads:
    """Heads with these weights, on the processor, ready to compute."""
    shape = (weights["to_query.weight"], weights["bias_hidden.weight"])
    heads = _empty(len(weights["is_known"]), len(weights["mean"]), *shape)
    heads.load_state_dict(dict(weights))
    return heads.eval()


def load_state(folder: Path) -> dict[str, Any]:
    """All weights from the file that torch saved, read as tensors alone.

    Returns:
        `encoder` and `heads`, each name -> tensor.

    Raises:
        InputError: the folder is not as it was written, or was written without that file.
    """
    if STATE not in verified(folder)["files"]:
        raise InputError(
            f"The model in {folder} was exported without {STATE}.\n  Next: export it again with it"
        )
    state: dict[str, Any] = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    return state


def _empty(n: int, d: int, query: torch.Tensor, bias: torch.Tensor) -> Heads:
    """Heads of the right shape; every number in them is replaced."""
    blank = Whitening(np.zeros(d, np.float32), np.zeros((d, d), np.float32))
    options = HeadOptions(
        len(query),
        len(bias),
        initial_scale=1.0,
        min_purchases=1,
        residual_dropout=0.0,
        bias_dropout=0.0,
        ridge=1.0,
    )
    return Heads(blank, np.ones(n, np.int64), options, seed=0)
