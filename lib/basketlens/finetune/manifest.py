"""The list of a model folder's files with their digests, by which it is known to be whole and as it was written."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from basketlens.errors import InputError

MANIFEST: Final = "manifest.json"


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """List the SHA-256 of every file that the folder holds now, beside what a reader must know before it reads them."""
    made = {**facts, "files": {name: _digest(path) for name, path in sorted(_files(folder).items())}}
    (folder / MANIFEST).write_text(json.dumps(made, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def verified(folder: Path) -> Mapping[str, Any]:
    """The manifest of a folder whose files are the listed ones, no more and no less.

    It finds damage, and files of two models mixed up.  It is no signature: who can write files can write a manifest.

    Raises:
        InputError: there is no manifest, or it and the files differ.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wanted = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} is no model folder: its {MANIFEST} cannot be read.\n"
            f"  It says: {type(error).__name__}: {error}\n  Next: give the folder that `finetune` wrote"
        ) from None
    found = _files(folder)
    wrong = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    wrong += [f"{name} is not listed" for name in sorted(found.keys() - wanted.keys())]
    wrong += [
        f"{n} was changed" for n in sorted(wanted.keys() & found.keys()) if _digest(found[n]) != wanted[n]
    ]
    if wrong:
        raise InputError(
            f"The model in {folder} is not as it was written: {len(wrong)} of {len(wanted)} files differ.\n"
            f"  {'; '.join(wrong[:5])}{' ...' if wrong[5:] else ''}\n  Next: copy the folder again, or train again"
        )
    return manifest


def _files(folder: Path) -> dict[str, Path]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if name != MANIFEST}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
