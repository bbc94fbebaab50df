import pytest

from basketlens import devices
from basketlens.devices import task_device
from basketlens.errors import InputError


class _Task:
    def __init__(self, *addresses):
        self._addresses = addresses

    def resources(self):
        gpu = type("Resource", (), {"addresses": list(self._addresses)})()
        return {"gpu": gpu} if self._addresses else {}


@pytest.mark.parametrize(("wanted", "addresses", "has_cuda", "device"), [
    pytest.param("auto", (), True, "cpu", id="auto-without-a-gpu-of-its-own"),
    pytest.param("auto", ("3",), True, "cuda:3", id="auto-takes-what-spark-gives"),
    pytest.param("cpu", ("3",), True, "cpu", id="cpu-whatever-spark-gives"),
    pytest.param("cuda", (), True, "cuda:0", id="local-mode"),
    pytest.param("cuda", ("1",), True, "cuda:1", id="cuda-takes-what-spark-gives"),
    pytest.param("cuda", (), False, None, id="no-gpu"),
    pytest.param("auto", ("0",), False, None, id="given-but-torch-cannot"),
])  # fmt: skip
def test_task_device(monkeypatch, *, wanted, addresses, has_cuda, device):
    monkeypatch.setattr(devices.TaskContext, "get", lambda: _Task(*addresses))
    monkeypatch.setattr("torch.cuda.is_available", lambda: has_cuda)
    if device is None:
        with pytest.raises(InputError, match=r"(?s)link\.device = .* torch finds no GPU.*--set link\.device"):
            task_device(wanted, setting="link.device")
    else:
        assert task_device(wanted, setting="link.device") == device


@pytest.mark.parametrize(("visible", "given", "device"), [
    pytest.param("2,3", "3", "cuda:1", id="torch-counts-what-it-may-see"),
    pytest.param("GPU-8a,GPU-91", "GPU-91", "cuda:1", id="by-their-own-names"),
    pytest.param("", "3", "cuda:3", id="all-are-visible"),
    pytest.param("0,1", "4", "cuda:4", id="an-address-of-its-own-counting"),
])  # fmt: skip
def test_cuda_visible_devices(monkeypatch, visible, given, device):
    monkeypatch.setattr(devices.TaskContext, "get", lambda: _Task(given))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert task_device("auto", setting="embed.device") == device


def test_a_gpu_that_nobody_knows(monkeypatch):
    monkeypatch.setattr(devices.TaskContext, "get", lambda: _Task("GPU-91"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(InputError, match="neither a number nor in CUDA_VISIBLE_DEVICES"):
        task_device("auto", setting="embed.device")
