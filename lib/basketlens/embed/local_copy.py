"""Models on network mounts are copied to this machine's disk, once, whatever the number of workers."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from filelock import FileLock

from basketlens.errors import FaultError

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "beegfs", "ceph", "glusterfs", "gpfs", "juicefs", "lustre", "wekafs",
}  # fmt: skip


def on_local_disk(folder: Path, digest: str, *, when: str, below: Path | None = None) -> Path:
    """The folder itself, or a copy of it that the first worker of this machine makes while the others wait.

    Args:
        folder: of the model.
        digest: of its files; names the copy.  The caller verifies it on what is returned.
        when: `auto` (the folder lies on a network mount), `always` or `never`.
        below: where copies go; this machine's folder for temporary files by default.

    Raises:
        FaultError: the disk has no room, or the place for copies belongs to somebody else.
    """
    if when == "never" or (when == "auto" and not is_on_network(folder)):
        return folder
    home = (below or Path(tempfile.gettempdir())) / f"basketlens-models-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise FaultError(
            f"{home} belongs to another user.\n  Next: remove it, or --set embed.local_copy=never"
        )
    copy = home / digest
    with FileLock(home / f"{digest}.lock"):
        if not copy.is_dir():
            beside = home / f"{digest}.copying"
            shutil.rmtree(beside, ignore_errors=True)  # of a worker that was killed
            try:
                shutil.copytree(folder, beside)
            except (OSError, shutil.Error) as error:
                shutil.rmtree(beside, ignore_errors=True)
                raise FaultError(
                    f"embed.model could not be copied to this machine's disk: {error}\n"
                    f"  From: {folder}\n  To:   {home}\n  Next: free space, or --set embed.local_copy=never"
                ) from None
            beside.rename(copy)
    return copy


def is_on_network(folder: Path, mounts: str | None = None) -> bool:
    """Whether the mount that holds a folder is of another machine; False where the system does not tell.

    Args:
        folder: any.
        mounts: text of `/proc/self/mountinfo`.

    Source: proc(5), "/proc/pid/mountinfo".
    """
    if mounts is None:
        if not _MOUNTS.exists():
            return False
        mounts = _MOUNTS.read_text(encoding="utf-8")
    path = folder.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].encode().decode("unicode_escape"))
        if path.is_relative_to(point) and len(point.parts) >= best:  # later mounts hide earlier ones
            best, kind = len(point.parts), right.split()[0]
    return kind in _NETWORK or kind.startswith("fuse")
