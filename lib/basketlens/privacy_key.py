"""The secret behind customer keys: where it comes from, and how executors get at it.

It is read in the process that needs it and never put into a closure, so that no plan, log, manifest or event
log can show it.  What may be shown is its fingerprint.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

from basketlens.errors import SettingsError
from basketlens.settings import SHORTEST_SECRET, PrivacySettings

VARIABLE: Final = "BASKETLENS__PRIVACY__KEY"
_BLOCK: Final = 64  # bytes that SHA-256 takes at once
KEY_DIGITS: Final = 32  # hex digits of a customer key: 128 bits, no collision at any retailer's size


def prepare(privacy: PrivacySettings) -> str:
    """Make sure that there is a secret, and return its fingerprint (16 hex digits).

    Raises:
        SettingsError: no secret, one that is too short, or a key file that others may read.
    """
    path = Path(privacy.key_file) if privacy.key_file else None
    if not os.environ.get(VARIABLE) and path and privacy.create_key_file and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: two runs at once must not each make a key; 0600 from the first moment.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    return hmac.new(read_secret(privacy.key_file), b"fingerprint", hashlib.sha256).hexdigest()[:16]


@lru_cache(maxsize=4)
def read_secret(key_file: str) -> bytes:
    """The secret, from the variable `BASKETLENS__PRIVACY__KEY` of this process, else from the file.

    On an executor the file is looked for at its path, then among the files that spark-submit distributed.

    Raises:
        SettingsError: as for `prepare`.
    """
    if value := os.environ.get(VARIABLE):
        return _long_enough(value, f"the variable {VARIABLE}")
    path = Path(key_file) if key_file else None
    if path is not None and not path.exists():
        from pyspark import SparkFiles

        path = Path(SparkFiles.get(path.name))
    if path is None or not path.exists():
        raise SettingsError(
            "Customer ids need a secret key, and there is none.\n"
            f"  Wanted: the variable {VARIABLE} (16 characters or more; on every executor too), or privacy.key_file\n"
            f"  Found:  no variable; privacy.key_file = '{key_file}'"
            + (" is not there" if key_file else "")
            + '\n  Next: openssl rand -hex 32 > key && chmod 600 key, or map no customers: clean.columns.customer_id = ""'
        )
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"privacy.key_file = '{path}' may be read by others.\n  Next: chmod 600 '{path}'")
    return _long_enough(path.read_text(encoding="utf-8"), f"privacy.key_file = '{path}'")


def _long_enough(text: str, origin: str) -> bytes:
    secret = text.strip().encode()
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"The secret in {origin} is too short: {len(secret)} characters, {SHORTEST_SECRET} wanted."
        )
    return secret


def keyed(secret: bytes) -> Callable[[str], str]:
    """A function from a customer's id to the key: HMAC-SHA256 (RFC 2104), the first 128 bits in hex.

    What does not depend on the id is hashed once, here: less than half the time of `hmac.digest` an id.
    """
    block = (secret if len(secret) <= _BLOCK else hashlib.sha256(secret).digest()).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))

    def key(customer_id: str) -> str:
        first, second = inner.copy(), outer.copy()
        first.update(customer_id.encode())
        second.update(first.digest())
        return second.hexdigest()[:KEY_DIGITS]

    return key
