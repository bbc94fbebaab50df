"""The model that stays in a Python worker."""

from functools import lru_cache
from typing import TYPE_CHECKING

from basketlens.embed.local_copy import on_local_disk
from basketlens.embed.model_files import folder_digest
from basketlens.embed.options import EncoderOptions
from basketlens.errors import InputError
from basketlens.preflight import check_model_folder
from basketlens.settings import EmbedSettings

if TYPE_CHECKING:
    from basketlens.embed.encoder import Encoder


def options_of(settings: EmbedSettings) -> EncoderOptions:
    """What the vectors depend on, from `[embed]`."""
    return EncoderOptions(
        max_tokens=settings.max_tokens,
        pooling=settings.pooling,
        normalize=settings.normalize,
        prompt=settings.prompt,
        dtype=settings.dtype,
    )


@lru_cache(maxsize=1)
def encoder_for(
    location: str, digest: str, options: EncoderOptions, device: str, local_copy: str, *, download: bool
) -> "Encoder":
    """Load on the first call in this Python worker; later tasks get the same object.

    Raises:
        InputError: the folder is not on this machine, or holds another model than the driver's.
    """
    folder = on_local_disk(check_model_folder(location, download=download), digest, when=local_copy)
    found = folder_digest(folder, options)
    if found != digest:
        raise InputError(
            f"embed.model = '{location}' differs between machines.\n"
            f"  Driver: {digest[:16]}...  this executor: {found[:16]}...\n  Folder: {folder}\n  Next: put the same files on every machine"
        )
    from basketlens.embed.encoder import Encoder  # torch lives on executors only

    return Encoder.load(folder, options, device=device)


def loads() -> int:
    """Models that this Python worker has loaded."""
    return encoder_for.cache_info().misses
