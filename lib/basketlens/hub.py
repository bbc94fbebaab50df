"""Models of the Hugging Face hub, by a pinned revision."""

import re
from pathlib import Path
from typing import Final

from basketlens.errors import InputError

_ID: Final = r"[\w.-]+/[\w.-]+"
_PINNED: Final = re.compile(rf"({_ID})@([0-9a-f]{{40}})")
# Weights that can be read without running code, and what belongs to them; no exports for other runtimes.
_WANTED: Final = ["*.safetensors", "*.json", "*.txt", "*.model"]
_UNWANTED: Final = ["onnx/*", "openvino/*", "coreml/*"]


def is_hub_id(location: str) -> bool:
    """Whether a location names a model of the hub: `organisation/name@revision`."""
    return re.fullmatch(rf"{_ID}@[^/]+", location) is not None


def snapshot(location: str, *, download: bool) -> Path:
    """The model's folder in this machine's cache.

    Args:
        location: `organisation/name@revision`; the revision is a commit of 40 hex digits, because a branch or tag
            may mean other files tomorrow.
        download: fetch what the cache lacks; else nothing is asked of the network.

    Raises:
        InputError: the revision is not pinned, or the files are not there.
    """
    pinned = _PINNED.fullmatch(location)
    if not pinned:
        raise InputError(
            f"embed.model = '{location}' does not pin its revision.\n"
            "  Wanted: organisation/name@ and the 40 hex digits of a commit: a branch or tag may change under you"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, revision = pinned.groups()
    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=_WANTED,
                ignore_patterns=_UNWANTED,
                local_files_only=not download,
            )
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        advice = "check the name and the network" if download else "--set embed.download=true fetches it"
        raise InputError(
            f"embed.model = '{location}' is not in this machine's cache of the hub.\n"
            f"  The hub's library says: {str(error).splitlines()[0]}\n  Next: {advice}, or give a folder"
        ) from None
