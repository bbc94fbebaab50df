"""Product names to unit vectors by a BERT encoder, on one device."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from basketlens.errors import InputError
from basketlens.preflight import check_model_folder


class BertEncoder:
    """A BERT with mean pooling over its tokens, in float32."""

    def __init__(self, model: Any, tokenizer: Tokenizer, device: str) -> None:
        self._model, self._tokenizer, self._device = model, tokenizer, device
        self.width: int = model.config.hidden_size

    @classmethod
    def load(cls, location: str, *, max_tokens: int, device: str) -> Self:
        """Read a model folder; only safetensors weights, and no code from the folder.

        Args:
            location: the folder, or `package:NAME/FOLDER`.
            max_tokens: tokens of a name that are read, the model's own limit permitting.
            device: `cpu` or `cuda:<n>`.

        Raises:
            InputError: the folder is not there, or weights that the vectors need are not in it.
        """
        folder = check_model_folder(location)
        model = _load_model(folder).float().eval().to(device)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()  # the file may ask for padding to a fixed length
        tokenizer.enable_truncation(
            min(max_tokens, getattr(model.config, "max_position_embeddings", max_tokens))
        )
        return cls(model, tokenizer, device)

    def encode(self, names: Sequence[str], *, batch_tokens: int) -> npt.NDArray[np.float32]:
        """One vector of L2 norm 1 per name, in the order given.

        Names are batched with names of the same number of tokens: no padding, hence no mask, and
        a vector depends on its batch by float rounding alone.

        Args:
            names: plain text; may be empty.
            batch_tokens: tokens of one forward pass; a longer name goes alone.

        Returns:
            (len(names), width) float32, finite.

        Raises:
            InputError: the model gives values that are not finite.
        """
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(names))]
        vectors = np.empty((len(names), self.width), dtype=np.float32)
        with torch.inference_mode():
            for at in _batches([len(ids) for ids in tokens], batch_tokens):
                ids = torch.tensor([tokens[i] for i in at], device=self._device)  # (batch, length)
                vectors[at] = self._pooled(ids).cpu().numpy()
        if not np.isfinite(vectors).all():
            raise InputError("embed.model gives vectors that are not finite: its weights are damaged.")
        return vectors

    def _pooled(self, ids: Tensor) -> Tensor:
        states = self._model(input_ids=ids).last_hidden_state  # (batch, length, width)
        return torch.nn.functional.normalize(states.mean(dim=1), dim=1)  # (batch, width)


def _batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Positions of names, grouped by equal length; longest first, so that too large a batch fails early."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for i in order:
        length = lengths[i]
        if batch and (length != lengths[batch[0]] or (len(batch) + 1) * length > batch_tokens):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _load_model(folder: Path) -> Any:
    # Python workers fork; threads of the tokenizer would also fight other tasks for the cores.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers import AutoModel
    from transformers.utils import logging

    chatter: Any = logging  # untyped functions
    chatter.disable_progress_bar()
    chatter.set_verbosity_error()  # a report of unused heads per worker; what matters is checked below
    model, report = AutoModel.from_pretrained(
        str(folder),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise InputError(
            f"embed.model lacks {len(missing)} of its weights, which would be drawn at random.\n"
            f"  Folder: {folder}\n  Lacks:  {', '.join(missing[:5])}{' ...' if missing[5:] else ''}"
        )
    return model
