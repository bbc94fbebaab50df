"""A real standalone cluster: a master and two workers in processes of their own, on loopback."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

from tests.cluster.shell import SHORT_LIVED_JAVA

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DEPLOY = "org.apache.spark.deploy"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(log: Path, text: str, seconds: int = 60) -> None:
    end = time.monotonic() + seconds
    while text not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < end, f"'{text}' did not appear in {log}: {log.read_text()[-2000:]}"
        time.sleep(0.2)


@contextmanager
def standalone(folder: Path, *, cores: int, memory: str, options: str = "") -> Iterator[str]:
    """URL of the master, once both workers have registered.

    Args:
        folder: for logs and the workers' files.
        cores: of each worker.
        memory: of each worker, such as 2g.
        options: of each worker's Java, such as -Dspark.worker.resource.gpu.amount=2.
    """
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    environ = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JAVA_TOOL_OPTIONS": SHORT_LIVED_JAVA,
        "SPARK_HOME": str(SPARK_CLASS.parents[1]),
        "SPARK_WORKER_OPTS": options,
    }
    commands = {
        "master": [f"{DEPLOY}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"],
        **{
            f"worker{n}": [f"{DEPLOY}.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", str(cores),
                           "--memory", memory, "--work-dir", str(folder / f"work{n}"), url]
            for n in (1, 2)
        },
    }  # fmt: skip
    processes = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("w") as log:
                processes.append(
                    subprocess.Popen([str(SPARK_CLASS), *command], env=environ, stdout=log, stderr=log)
                )
            if name == "master":
                wait_for(folder / "master.log", "I have been elected leader")
        for n in (1, 2):
            wait_for(folder / f"worker{n}.log", "Successfully registered with master")
        yield url
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)
