"""The model's folder on this machine, and the digest that vectors are kept under."""

import hashlib
import json
from pathlib import Path

from basketlens.embed.options import EncoderOptions
from basketlens.preflight import check_model_folder


def model_digest(location: str, options: EncoderOptions, *, download: bool = False) -> str:
    """64 hex digits of SHA-256 over all that a vector depends on: the model's files and the options.

    Args:
        location: a folder, `package:NAME/FOLDER`, or a pinned model of the hub.
        options: how names become vectors.
        download: whether a model of the hub may be fetched.

    Raises:
        InputError: the folder is missing, or holds no safetensors weights.
    """
    return folder_digest(check_model_folder(location, download=download), options)


def folder_digest(folder: Path, options: EncoderOptions) -> str:
    """The digest of a folder.

    Files go in by name, sorted; hidden ones (locks and time stamps of download tools) are left out.
    """
    digest = hashlib.sha256(json.dumps(options._asdict(), sort_keys=True).encode())
    for name, path in sorted(_visible_files(folder).items()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        digest.update(b"\0" + name.encode() + b"\0" + content)
    return digest.hexdigest()


def _visible_files(folder: Path) -> dict[str, Path]:
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        name.as_posix(): path
        for name, path in files.items()
        if not any(p.startswith(".") for p in name.parts)
    }
