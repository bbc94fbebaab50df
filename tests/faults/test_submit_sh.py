"""submit.sh on machines that lack something.  A `java` or `python3` that answers like an old one stands on the PATH."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "sed", "head", "cat", "cksum", "grep", "dirname", "id", "tail", "sh")


@pytest.fixture
def machine(tmp_path):
    """A PATH with ordinary tools, no Java and no Python; returns a function that runs submit.sh there."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        found = next(
            Path(p) / name
            for p in [*os.environ["PATH"].split(":"), "/usr/bin", "/bin"]
            if (Path(p) / name).exists()
        )
        (tools / name).symlink_to(found)

    def run(*arguments, programs=(), **variables):
        for name, text in dict(programs).items():
            program = tools / name
            program.write_text(f"#!{tools}/bash\n{text}\n")
            program.chmod(0o755)
        leg = {name: os.environ[name] for name in ("BASKETLENS_LEG",) if name in os.environ}
        environ = {
            "PATH": str(tools),
            "HOME": str(tmp_path),
            "BASKETLENS_VENV": sys.prefix,
            **leg,
            **variables,
        }
        return subprocess.run(
            [str(ROOT / "submit.sh"), *arguments],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def java(version: str) -> dict[str, str]:
    return {"java": f"echo 'openjdk version \"{version}\" 2020-01-01' >&2"}


def test_no_java_offers_the_one_line(machine):
    done = machine("pipeline", programs={"apt-get": "exit 0", "id": "echo 0"})
    assert done.returncode == 2
    assert re.search(r"apt-get install -y --no-install-recommends openjdk-(17|21)-jre-headless", done.stderr)
    assert "--install-java" in done.stderr


def test_no_java_and_no_debian_says_what_to_install(machine):
    done = machine("pipeline")
    assert done.returncode == 2
    assert "install a Java 17 or newer runtime" in done.stderr
    assert "apt-get" not in done.stderr


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.22", "16.0.2"])
def test_an_old_java_is_named(machine, version):
    done = machine("mine", programs=java(version))
    assert done.returncode == 2
    major = version.removeprefix("1.").split(".")[0]
    assert f"Spark needs Java 17 or newer; found Java {major}" in done.stderr


def test_java_home_wins(machine, tmp_path):
    home = tmp_path / "jdk" / "bin"
    home.mkdir(parents=True)
    program = home / "java"
    program.write_text(f"#!{tmp_path}/bin/bash\necho 'openjdk version \"11.0.1\"' >&2\n")
    program.chmod(0o755)
    done = machine("mine", programs=java("21.0.1"), JAVA_HOME=str(tmp_path / "jdk"))
    assert "found Java 11" in done.stderr


def test_install_java_runs_the_line_when_asked(machine, tmp_path):
    """apt-get writes down how it was called, and brings a Java."""
    program = f'echo "$*" >> {tmp_path}/calls; [ "$1" != install ] || printf "%s\\n" "#!{tmp_path}/bin/bash" "echo \'openjdk version \\"17.0.1\\"\' >&2" > {tmp_path}/bin/java; [ ! -e {tmp_path}/bin/java ] || {tmp_path}/bin/chmod +x {tmp_path}/bin/java'
    (tmp_path / "bin" / "chmod").symlink_to("/bin/chmod")
    done = machine("nonsense", "--install-java", programs={"apt-get": program, "id": "echo 0"})
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update == "update"
    assert re.fullmatch(r"install -y --no-install-recommends openjdk-(17|21)-jre-headless", install)
    assert "no job 'nonsense'" in done.stderr  # it went on with the Java it got


def test_an_old_python_is_named(machine, tmp_path):
    done = machine(
        "help", programs={"python3": 'echo "Python 3.9.2"; exit 1'}, BASKETLENS_VENV=str(tmp_path / "new")
    )
    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_an_unknown_leg_lists_the_known(machine):
    done = machine("help", BASKETLENS_LEG="spark-2.4")
    assert done.returncode == 2
    assert "spark-3.5 spark-4.2" in done.stderr


def test_help_needs_no_java(machine):
    done = machine("--help")
    assert done.returncode == 0
    assert "usage: ./submit.sh JOB" in done.stdout
