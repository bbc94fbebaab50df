import subprocess
import sys
from pathlib import Path

import pytest
from pyspark import cloudpickle

from basketlens.errors import SettingsError
from basketlens.finetune import together

# What TorchDistributor does: Spark carries the function to a task, the task writes it to a file, another process reads that.
TASK = """
import sys
from pyspark import cloudpickle
sys.path.append("/added/by/py-files")
sent = cloudpickle.load(open(sys.argv[1], "rb"))
cloudpickle.dump(sent, open(sys.argv[2], "wb"))
"""
PROCESS = """
import sys
from pyspark import cloudpickle
sys.modules["basketlens"] = None  # it cannot be imported yet
process, (path, folder) = cloudpickle.load(open(sys.argv[1], "rb"))
assert "/added/by/py-files" in path, path
try:
    process(path, folder, "target", (False, 0), ("{}", "{}"), {}, 9, False)
except ImportError as error:
    assert "basketlens" in str(error)
    assert "/added/by/py-files" in sys.path
    print("as wanted")
"""


def test_the_process_finds_modules_where_its_task_does(tmp_path):
    sent, kept = str(tmp_path / "sent"), str(tmp_path / "kept")
    Path(sent).write_bytes(cloudpickle.dumps((together._process(), (together._ModulePath(), "folder"))))
    subprocess.run([sys.executable, "-c", TASK, sent, kept], check=True)
    done = subprocess.run([sys.executable, "-c", PROCESS, kept], check=False, capture_output=True, text=True)
    assert done.stdout == "as wanted\n", done.stderr


def test_executors_that_come_late_are_waited_for():
    found = iter([0, 1, 2])
    together.wait_for_slots(2, lambda: next(found), seconds=30)
    assert next(found, None) is None


def test_fewer_slots_than_processes():
    with pytest.raises(
        SettingsError, match=r"processes = 3, but executors have room for 2 tasks at once(.|\n)*=2"
    ):
        together.wait_for_slots(3, lambda: 2, seconds=0)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        pytest.param("/mnt/shop", "/mnt/shop", id="path"),
        pytest.param("file:/mnt/shop", "/mnt/shop", id="file"),
        pytest.param("out", str(Path.cwd() / "out"), id="relative"),
    ],
)
def test_a_root_that_is_a_path(location, path):
    assert together.shared_path(location) == path


@pytest.mark.parametrize("location", ["s3a://bucket/shop", "hdfs:///shop", "dbfs:/shop"])
def test_a_root_that_is_no_path(location):
    with pytest.raises(SettingsError, match=r"needs a tables.root that is a path, found"):
        together.shared_path(location)
