"""What can be found wrong before a cluster starts: model folder, input paths, disk space."""

import glob
import os
import shutil
from pathlib import Path

from basketlens import hub
from basketlens.errors import FaultError, InputError, SettingsError
from basketlens.locations import local_path, resolve
from basketlens.settings import Settings

GIB = 1 << 30


def check(settings: Settings, stages: tuple[str, ...]) -> None:
    """Stop with one message when a run of `stages` cannot succeed on this machine.

    Raises:
        SettingsError: a required setting is empty.
        InputError: an input or the model is not there or not usable.
        FaultError: the disk of a local `tables.root` is too full.
    """
    if not settings.tables.root:
        raise SettingsError(
            "tables.root is empty: no place to write the tables.\n  Next: --set tables.root=/path/to/folder"
        )
    if "clean" in stages:
        _check_input(settings)
    if "embed" in stages:
        check_model_folder(settings.embed.model, download=settings.embed.download)
    _check_disk(settings)


def check_model_folder(location: str, *, download: bool = False) -> Path:
    """The model's folder, proven to hold a config, a tokenizer and safetensors weights.

    Args:
        location: a folder, `package:NAME/FOLDER`, or `organisation/name@revision` of the hub.
        download: whether a model of the hub may be fetched when it is not in this machine's cache.

    Raises:
        InputError: something is missing; pickled weights (`pytorch_model.bin`) are not accepted.
    """
    folder = hub.snapshot(location, download=download) if hub.is_hub_id(location) else Path(resolve(location))
    if not folder.is_dir():
        raise InputError(
            f"embed.model = '{location}' is no folder on this machine.\n  Looked at: {folder}\n"
            "  Allowed: a folder, package:NAME/FOLDER, or a model of the hub as organisation/name@revision"
        )
    found = sorted(f.name for f in folder.iterdir())
    missing = [name for name in ("config.json",) if name not in found]
    if not any(name in found for name in ("tokenizer.json", "vocab.txt", "vocab.json")):
        missing.append("tokenizer.json")
    if not any(name.endswith(".safetensors") for name in found):
        missing.append("*.safetensors")
    if missing:
        pickled = [name for name in found if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]
        hint = (
            f"\n  Pickled weights ({', '.join(pickled)}) can run code when loaded and are not read;"
            " save the model with safe_serialization=True."
            if pickled
            else ""
        )
        raise InputError(
            f"embed.model = '{location}' cannot be used: {', '.join(missing)} is missing.\n"
            f"  Folder: {folder}\n  Has:    {', '.join(found) or 'nothing'}{hint}"
        )
    return folder


def _check_input(settings: Settings) -> None:
    given = settings.input
    if not given.transactions:
        raise SettingsError(
            "input.transactions is empty: no receipts to read.\n  Next: --set input.transactions=/path/to/receipts"
        )
    for key, location, kind in (
        ("transactions", given.transactions, given.format),
        ("returns", given.returns, given.returns_format or given.format),
        ("products", given.products, given.products_format or given.format),
    ):
        path = local_path(resolve(location)) if location and kind != "table" else None
        if path is not None and not glob.glob(str(path)):
            raise InputError(
                f"input.{key} = '{location}' matches no file or folder.\n  Looked at: {path.absolute()}"
            )


def _check_disk(settings: Settings) -> None:
    root = local_path(settings.tables.root)
    if root is None:
        return
    parent = root.absolute()
    while not parent.exists():
        parent = parent.parent
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(
            f"tables.root = '{settings.tables.root}' cannot be written: no right to write in {parent}"
        )
    free = shutil.disk_usage(parent).free / GIB
    if free < settings.tables.min_free_gib:
        raise FaultError(
            f"The disk of tables.root is too full: {free:.1f} GiB free, {settings.tables.min_free_gib:.1f} wanted.\n"
            f"  Disk of: {parent}\n  Next: free space, move tables.root, or lower tables.min_free_gib"
        )
