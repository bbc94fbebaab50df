"""From the states of a name's tokens to one vector."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from basketlens.errors import InputError

_SAVED: Final = "1_Pooling/config.json"  # where sentence-transformers say how a model was trained
_FLAGS: Final = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_DECODERS: Final = ("LMHeadModel", "ForCausalLM")


def pooling_of(folder: Path, wanted: str, config: Any) -> str:
    """`mean`, `cls` or `last`.

    `auto` is what the folder says in `1_Pooling/config.json`; without that file the mean for encoders, and for
    decoders the last token, the only one that has seen the whole name.

    Args:
        folder: of the model.
        wanted: `auto` or one of the three.
        config: the model's, as transformers reads it.

    Raises:
        InputError: the folder asks for a pooling that is none of these.
    """
    if wanted != "auto":
        return wanted
    saved = folder / _SAVED
    if saved.is_file():
        said = json.loads(saved.read_text(encoding="utf-8"))
        modes = [key for key, value in said.items() if key.startswith("pooling_mode_") and value is True]
        if len(modes) != 1 or modes[0] not in _FLAGS:
            raise InputError(
                f"embed.model wants another pooling than mean, cls or last: {', '.join(modes) or 'none'}.\n"
                f"  Says: {saved}\n  Next: --set embed.pooling=mean, cls or last"
            )
        return _FLAGS[modes[0]]
    classes = config.architectures or ()
    return "last" if any(name.endswith(_DECODERS) for name in classes) else "mean"


def pooled(states: Tensor, lengths: Tensor, *, pooling: str) -> Tensor:
    """(names, width) float32, from states (names, longest, width) whose padding stands on the right.

    Args:
        states: of the last layer.
        lengths: (names,) int64, tokens of each name, 1 or more.
        pooling: `mean` over the tokens, `cls` (the first) or `last`.
    """
    if pooling == "cls":
        return states[:, 0].float()
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), lengths - 1].float()
    if bool((lengths == states.shape[1]).all()):
        return states.float().mean(dim=1)
    is_token = torch.arange(states.shape[1], device=states.device)[None, :] < lengths[:, None]
    # Not states * mask: padding may hold anything, also infinity.
    return states.float().masked_fill(~is_token[:, :, None], 0).sum(dim=1) / lengths[:, None]
