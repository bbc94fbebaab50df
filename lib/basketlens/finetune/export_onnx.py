"""A trained model as ONNX, tokens to final vectors, and the proof that it computes what torch computes."""

import importlib.util
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from basketlens.errors import InputError
from basketlens.finetune.name_model import NameModel, Reading

OPSET: Final = 18  # the oldest that torch's exporter writes without converting
INPUTS: Final = ("input_ids", "attention_mask")
OUTPUTS: Final = ("embedding", "query", "key", "bias")
PARITY_NAMES: Final = 500
_TOLERANCE: Final = 1e-4  # greatest difference of any number of any output
_SIZES: Final = (1, 64, 3, 17, 128, 2, 33)  # names of a batch: other numbers than the traced one
_NEEDED: Final = ("onnx", "onnxruntime", "onnxscript")
_INLINE: Final = 1_900_000_000  # bytes; a file of protobuf holds 2 GiB


class Parity(NamedTuple):
    """How far ONNX and torch are apart."""

    names: int
    error: float  # greatest absolute difference


def require_onnx() -> None:
    """Fail before training, not after it.

    Raises:
        InputError: a package of the extra is not installed.
    """
    lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise InputError(
            f"ONNX export needs packages that are not installed: {', '.join(lacking)}.\n"
            "  Next: pip install 'basketlens[export]', or export without ONNX"
        )


def write_onnx(model: NameModel, tokens: tuple[Tensor, Tensor], path: Path) -> None:
    """Write the graph, for batches of any size and names of any length that the encoder takes.

    Args:
        model: what to write.
        tokens: an example of what it reads, of 2 names and 2 tokens at least.
        path: the file; weights beyond 2 GB go into a second one beside it.
    """
    any_size = {0: torch.export.Dim("names"), 1: torch.export.Dim("tokens")}
    with torch.no_grad():
        program: Any = torch.onnx.export(
            model,
            tokens,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamic_shapes=(any_size, any_size),
            dynamo=True,
            verbose=False,
        )
    for i, node in enumerate(program.model.graph.all_nodes()):
        node.metadata_props.clear()  # file names and lines of the machine that exported
        for j, value in enumerate(node.outputs):
            if not value.is_graph_output():
                value.name = f"value_{i}_{j}"  # the exporter may have called one as we call an output
    size = sum(w.numel() * w.element_size() for w in model.state_dict().values())
    program.save(str(path), external_data=size > _INLINE)


def check_parity(model: NameModel, path: Path, names: Sequence[str], reading: Reading) -> Parity:
    """Compare the file with the model on real names, in batches of many sizes and lengths.

    Args:
        model: what was written.
        path: the file.
        names: at least one; `PARITY_NAMES` of them, or all that there are.
        reading: how names become tokens.

    Raises:
        InputError: they differ by more than 1e-4 anywhere.
    """
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    worst = dict.fromkeys(OUTPUTS, 0.0)
    for batch in _batches(names):
        tokens = tokenized(batch, reading)
        found = session.run(list(OUTPUTS), dict(zip(INPUTS, (t.numpy() for t in tokens), strict=True)))
        with torch.no_grad():
            wanted = model(*tokens)
        for name, ours, theirs in zip(OUTPUTS, wanted, found, strict=True):
            # NaN is larger than every tolerance here: `max` of numpy hands it on.
            worst[name] = float(np.maximum(worst[name], np.abs(ours.numpy() - theirs).max()))
    if not all(error <= _TOLERANCE for error in worst.values()):
        raise InputError(
            f"The ONNX file does not compute what the model computes, on {len(names)} names.\n"
            f"  Wanted: a difference of {_TOLERANCE:g} at most\n"
            f"  Found:  {', '.join(f'{name} {error:.2g}' for name, error in worst.items())}\n"
            "  Next: export without ONNX; this encoder is not exported faithfully by the installed torch"
        )
    return Parity(len(names), max(worst.values()))


def tokenized(names: Sequence[str], reading: Reading) -> tuple[Tensor, Tensor]:
    """Tokens (r, l) int64, padded to the longest, and their mask."""
    read = reading.tokenizer.encode_batch([reading.prompt + name for name in names])
    return torch.tensor([r.ids for r in read]), torch.tensor([r.attention_mask for r in read])


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    start = 0
    for size in cycle(_SIZES):
        if start >= len(names):
            return
        yield names[start : start + size]
        start += size
