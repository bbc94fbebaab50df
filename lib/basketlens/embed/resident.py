"""The model that stays in a Python worker."""

from functools import lru_cache
from typing import TYPE_CHECKING

from basketlens.embed.model_files import model_digest
from basketlens.errors import InputError

if TYPE_CHECKING:
    from basketlens.embed.bert import BertEncoder


@lru_cache(maxsize=1)
def encoder_for(location: str, digest: str, max_tokens: int, device: str) -> "BertEncoder":
    """Load on the first call in this Python worker; later tasks get the same object.

    Raises:
        InputError: the folder is not on this machine, or holds another model than the driver's.
    """
    found = model_digest(location, max_tokens=max_tokens)
    if found != digest:
        raise InputError(
            f"embed.model = '{location}' differs between machines.\n"
            f"  Driver: {digest[:16]}...  this executor: {found[:16]}...\n  Next: put the same files on every machine"
        )
    from basketlens.embed.bert import BertEncoder  # torch lives on executors only

    return BertEncoder.load(location, max_tokens=max_tokens, device=device)
