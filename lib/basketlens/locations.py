"""Places named in settings: plain paths, URLs, and files that an installed Python package ships."""

import importlib.util
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from basketlens.errors import InputError

PACKAGE_PREFIX: Final = "package:"


def resolve(location: str) -> str:
    """`package:NAME/FILE` as a path on this machine; anything else unchanged.

    The package is located, not imported: none of its code runs.

    Raises:
        InputError: no such package, or no such file in it.
    """
    if not location.startswith(PACKAGE_PREFIX):
        return location
    name, _, inside = location.removeprefix(PACKAGE_PREFIX).partition("/")
    module = name.replace("-", "_")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"'{location}' names a Python package that is not installed here.\n"
            f"  Wanted: package {module}\n  Next: pip install {module.replace('_', '-')}, or give a path instead"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / inside
    if not path.exists():
        raise InputError(f"Package {module} is installed, but has no '{inside}'.\n  Looked at: {path}")
    return str(path)


def local_path(location: str) -> Path | None:
    """`location` as a path of this machine's file system; None for other schemes such as s3 or hdfs."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(parts.path)
    return None if parts.scheme else Path(location)
