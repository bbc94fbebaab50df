import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from basketlens.embed.local_copy import is_on_network, on_local_disk
from basketlens.errors import FaultError

MOUNTS = r"""
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:20 / /mnt/models rw shared:2 - nfs4 files:/models rw
23 22 0:21 / /mnt/models/scratch rw - xfs /dev/vdb rw
24 21 0:22 / /Volumes rw - fuse.dbfs dbfs rw
25 21 0:23 / /mnt/with\040space rw - cifs //files/x rw
26 21 0:24 / /mnt/late rw - ext4 /dev/vdc rw
27 21 0:25 / /mnt/late rw - lustre mds rw
"""


@pytest.mark.parametrize(("folder", "wanted"), [
    ("/opt/models/bert", False),
    ("/mnt/models/bert", True),
    ("/mnt/models/scratch/bert", False),
    ("/mnt/models-old/bert", False),
    ("/Volumes/main/models", True),
    ("/mnt/with space/bert", True),
    ("/mnt/late/bert", True),
])  # fmt: skip
def test_network_mounts(folder, wanted):
    assert is_on_network(Path(folder), MOUNTS.strip()) is wanted


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    (made / "1_Pooling").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "1_Pooling" / "config.json").write_text("{}")
    return made


def test_never_and_auto_on_a_disk(folder, tmp_path):
    assert on_local_disk(folder, "d", when="never", below=tmp_path) == folder
    assert on_local_disk(folder, "d", when="auto", below=tmp_path) == folder


def test_workers_that_come_at_once_make_one_copy(folder, tmp_path, monkeypatch):
    copies, real = [], shutil.copytree

    def counted(source, target, *rest):
        copies.append(Path(source))
        return real(source, target, *rest)

    monkeypatch.setattr("shutil.copytree", counted)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: on_local_disk(folder, "d", when="always", below=tmp_path), range(8)))
    assert copies.count(folder) == 1
    assert len(set(found)) == 1
    assert found[0] != folder
    assert (found[0] / "1_Pooling" / "config.json").read_text() == "{}"
    assert (found[0].parent.stat().st_mode & 0o777) == 0o700


def test_half_a_copy_of_a_killed_worker_is_made_anew(folder, tmp_path):
    half = tmp_path / f"basketlens-models-{os.getuid()}" / "d.copying"
    half.mkdir(parents=True)
    (half / "rest").write_text("")
    copy = on_local_disk(folder, "d", when="always", below=tmp_path)
    assert sorted(p.name for p in copy.iterdir()) == ["1_Pooling", "config.json"]


def test_a_link_of_somebody_else_is_not_followed(folder, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"basketlens-models-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(FaultError, match="belongs to another user"):
        on_local_disk(folder, "d", when="always", below=tmp_path)


def test_what_cannot_be_copied_is_a_fault(tmp_path):
    with pytest.raises(FaultError, match="could not be copied"):
        on_local_disk(tmp_path / "gone", "d", when="always", below=tmp_path)
    assert not (tmp_path / f"basketlens-models-{os.getuid()}" / "d").exists()
