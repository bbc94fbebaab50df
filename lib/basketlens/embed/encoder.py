"""Product names to vectors by a transformer of any kind, on one device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor

from basketlens.batches import batches
from basketlens.embed.arithmetic import Arithmetic, choose_arithmetic
from basketlens.embed.options import EncoderOptions
from basketlens.errors import InputError
from basketlens.loading import load_model, load_tokenizer
from basketlens.pooling import pooled, pooling_of

BATCH_TOKENS: Final = {"cpu": 4096, "cuda": 65536}  # stays in a processor's cache; keeps a GPU's cores busy
_NOT_FINITE: Final = "the model's values are not finite"

Tokens = Sequence[Sequence[int]]  # numbers of the vocabulary, one list per name


class Encoded(NamedTuple):
    """Vectors of n names, and the work that they took."""

    vectors: npt.NDArray[np.float32]  # (n, width); zeros where there is an error
    errors: dict[int, str]  # position of a name without a vector -> why
    tokens: int  # that the names have
    padded: int  # that the model saw: tokens and padding
    flops: float  # of the matrix products


class Encoder:
    """A model that stays on its device, and the tokenizer before it."""

    def __init__(
        self, model: Any, tokenizer: Tokenizer, *, options: EncoderOptions, pooling: str, device: str
    ) -> None:
        self.device, self.options, self.pooling = device, options, pooling
        self.width: int = model.config.hidden_size
        self._model, self._tokenizer = model, tokenizer
        self._vocabulary: int = model.get_input_embeddings().num_embeddings
        self._flops_per_token = 2.0 * _weights(model)
        self._flops_per_square = 4.0 * model.config.num_hidden_layers * self.width
        self._padding: int = model.config.pad_token_id or 0
        self._budget = 1 << 62  # tokens that are known to fit the device: less after it ran out of memory
        self.arithmetic = Arithmetic("fp32", 1.0, 0.0)

    @classmethod
    def load(cls, folder: Path, options: EncoderOptions, *, device: str) -> Self:
        """Read a model's folder; only safetensors weights, and no code from the folder.

        Args:
            folder: with config.json, a tokenizer and *.safetensors.
            options: how names become vectors.
            device: `cpu` or `cuda:<n>`.

        Raises:
            InputError: weights that the vectors need are not in it or are damaged, or it asks for an unknown pooling.
        """
        model = load_model(folder).float().eval().to(device)
        made = cls(
            model,
            load_tokenizer(folder, max_tokens=_most_tokens(model, options.max_tokens)),
            options=options,
            pooling=pooling_of(folder, options.pooling, model.config),
            device=device,
        )
        made.arithmetic = choose_arithmetic(made.probe, model, wanted=options.dtype, device=device)
        return made

    def probe(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors (n, width) of a few names; zeros for those that the model cannot read.

        Raises:
            InputError: the model gives values that are not finite.
        """
        made = self.encode(self.tokenized(names))
        if _NOT_FINITE in made.errors.values():
            raise InputError("embed.model gives vectors that are not finite: its weights are damaged.")
        return made.vectors

    def tokenized(self, names: Sequence[str]) -> Tokens:
        """Names as numbers of the vocabulary; may run in another thread than `encode`."""
        prompted = [self.options.prompt + name for name in names]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(prompted)]

    def encode(self, ids: Tokens, *, batch_tokens: int = 0) -> Encoded:
        """One vector per name, in the order given.  A name that the model cannot take does not stop the others.

        Args:
            ids: from `tokenized`.
            batch_tokens: tokens of one forward pass, padding included; 0 = what suits the device.
        """
        errors = self._unreadable(ids)
        good = [i for i in range(len(ids)) if i not in errors]
        budget = batch_tokens or BATCH_TOKENS[self.device.split(":")[0]]
        lengths = [len(ids[i]) for i in good]
        todo = [[good[i] for i in at] for at in batches(lengths, min(budget, self._budget))][::-1]
        found: list[tuple[list[int], Tensor]] = []
        padded, flops = 0, 0.0
        with torch.inference_mode():
            while todo:
                at = todo.pop()
                longest = len(ids[at[0]])
                try:
                    found.append((at, self._vectors([ids[i] for i in at])))
                except RuntimeError as error:
                    if not self._can_go_on(error, at, longest):
                        raise
                    if len(at) == 1:
                        errors[at[0]] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                    else:
                        todo += [at[len(at) // 2 :], at[: len(at) // 2]]
                    continue
                padded += len(at) * longest
                flops += len(at) * longest * (self._flops_per_token + self._flops_per_square * longest)
        vectors = _gathered(found, (len(ids), self.width))
        for i in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
            errors[int(i)] = _NOT_FINITE
            vectors[i] = 0
        return Encoded(vectors, errors, sum(lengths), padded, flops)

    def _unreadable(self, ids: Tokens) -> dict[int, str]:
        """Names that no batch may hold: on a GPU one number beyond the vocabulary stops the process."""
        errors = {}
        for i, name in enumerate(ids):
            if not name:
                errors[i] = "the tokenizer makes no token of it"
            elif max(name) >= self._vocabulary:
                errors[i] = f"token {max(name)} is beyond the model's vocabulary of {self._vocabulary}"
        return errors

    def _vectors(self, ids: Tokens) -> Tensor:
        """(names, width) float32 on the device; the first name is the longest."""
        lengths = torch.tensor([len(name) for name in ids])
        longest = int(lengths[0])
        rows = torch.tensor([[*name, *[self._padding] * (longest - len(name))] for name in ids]).to(
            self.device
        )
        mask = None
        if int(lengths[-1]) < longest:  # sorted: else all are of one length
            mask = (torch.arange(longest)[None, :] < lengths[:, None]).long().to(self.device)
        states = self._model(input_ids=rows, attention_mask=mask).last_hidden_state
        made = pooled(states, lengths.to(self.device), pooling=self.pooling)
        return torch.nn.functional.normalize(made, dim=1) if self.options.normalize else made

    def _can_go_on(self, error: RuntimeError, at: Sequence[int], longest: int) -> bool:
        """Whether smaller batches may succeed: memory ran out, or one name fails alone.

        A CUDA error of another kind leaves the process without a usable GPU.
        """
        if isinstance(error, torch.OutOfMemoryError):
            self._budget = max(1, len(at) * longest // 2)
            if self.device != "cpu":
                torch.cuda.empty_cache()
            return True
        return self.device == "cpu"


def _weights(model: Any) -> int:
    """Numbers in the matrices that every token is multiplied with."""
    kinds = ("Linear", "Conv1D", "NonDynamicallyQuantizableLinear")
    linear = [m for m in model.modules() if type(m).__name__ in kinds]
    pooler = getattr(model, "pooler", None)
    unused = (
        {id(m) for m in pooler.modules()} if pooler is not None else set()
    )  # one token's, not every token's
    return sum(m.weight.numel() for m in linear if id(m) not in unused)


def _most_tokens(model: Any, wanted: int) -> int:
    """Tokens of a name that the model has positions for; in RoBERTa and its kin they begin after the padding's."""
    positions = getattr(model.config, "max_position_embeddings", None) or wanted
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            positions -= module.padding_idx + 1
    return int(min(wanted, positions))


def _gathered(found: Sequence[tuple[list[int], Tensor]], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Batches in the order of the names; the device is waited for once."""
    vectors = np.zeros(shape, np.float32)
    if found:
        vectors[[i for at, _ in found for i in at]] = torch.cat([part for _, part in found]).cpu().numpy()
    return vectors
