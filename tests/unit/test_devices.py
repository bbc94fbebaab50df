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
