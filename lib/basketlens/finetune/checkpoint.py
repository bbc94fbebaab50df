"""The whole state of a training on disk, so that a killed run goes on where it was."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from basketlens.errors import InputError, SettingsError

_HEAD: Final = "checkpoint.json"


class Checkpoint(NamedTuple):
    """Where a training keeps its state, and what it is a training of."""

    folder: Path  # on a disk of this machine; made when missing
    identity: Mapping[
        str, str | int | float
    ]  # settings, seed and digests of the data: all that the result follows from
    every: int  # steps between two savings


class State(NamedTuple):
    """What `save_state` wrote."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]  # JSON: numbers, strings, lists


def digest_of(*arrays: npt.NDArray[Any]) -> str:
    """64 hex digits of SHA-256 over the arrays' types, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def save_state(checkpoint: Checkpoint, state: State) -> None:
    """Replace the state in the folder; a reader, or a crash at any moment, meets the old one or the new one whole.

    The tensors' file carries its digest in its name.  `checkpoint.json` names it, and is replaced once that is on the disk.
    """
    content = save(state.tensors)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{digest}.safetensors"
    checkpoint.folder.mkdir(parents=True, exist_ok=True)
    _write(checkpoint.folder / name, content)
    head = {"identity": dict(checkpoint.identity), "sha256": digest, "facts": state.facts}
    _write(checkpoint.folder / _HEAD, json.dumps(head, indent=1).encode())
    for path in checkpoint.folder.glob("*.safetensors"):
        if path.name != name:
            path.unlink(missing_ok=True)


def load_state(checkpoint: Checkpoint) -> State | None:
    """The state in the folder; None when there is none yet.

    Only safetensors and JSON are read: a checkpoint cannot run code.

    Raises:
        SettingsError: it is of a training of other settings or other data.
        InputError: its files are not those that were written.
    """
    path = checkpoint.folder / _HEAD
    if not path.is_file():
        return None
    try:
        head = json.loads(path.read_bytes())
        found, digest, facts = head["identity"], str(head["sha256"]), head["facts"]
        _check_identity(checkpoint, found)
        content = (checkpoint.folder / f"{digest}.safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"the tensors' SHA-256 is not {digest[:12]}...")
        return State(load(content), facts)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(
            f"The training's checkpoint cannot be read.\n  Folder: {checkpoint.folder}\n  Found:  {error}\n"
            "  Next: delete the folder to train from the start"
        ) from None


def _check_identity(checkpoint: Checkpoint, found: Mapping[str, Any]) -> None:
    wanted = checkpoint.identity
    other = [name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name)]
    if other:
        lines = "\n".join(
            f"  {k}: {wanted.get(k, 'nothing')} (checkpoint has {found.get(k, 'nothing')})" for k in other
        )
        raise SettingsError(
            f"The checkpoint is of a training of other settings or data: {len(other)} of {len(wanted)} differ.\n"
            f"{lines}\n  Folder: {checkpoint.folder}\n"
            "  Next: the old settings to go on with it, or delete the folder to train from the start"
        )


def _write(path: Path, content: bytes) -> None:
    """Replace a file at once, its content on the disk first."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
