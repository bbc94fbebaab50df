"""The import law: data flows one way, and heavy libraries stay where they are used."""

import ast
import subprocess
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[2] / "lib" / "basketlens"
STAGES = ("clean", "embed", "finetune", "link", "mine", "report", "serve")
FILES = sorted(LIB.rglob("*.py"))
READERS = {
    "tables.py",
    "sources.py",
    "formats.py",
    "run.py",
    "settings_files.py",
    "privacy_key.py",
    "adapter.py",
    "checkpoints.py",
    "fingerprint.py",
    "publishing.py",
}
READING = ("read_parquet", "read_csv", "read_table", "read_text", "read_bytes", ".read.", "open(")
MODEL_LOADER = {"finetune/checkpoint.py", "embed/model_files.py", "embed/pooling.py", "embed/local_copy.py"}


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def named(path: Path) -> str:
    return path.relative_to(LIB).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_stage_imports_no_other_stage(path):
    stage = named(path).split("/")[0]
    if stage not in STAGES:
        return
    others = [
        name
        for name in imports(path)
        for other in STAGES
        if other != stage and name.startswith(f"basketlens.{other}")
    ]
    assert others == []
    assert not any(
        name.startswith(("basketlens.run", "basketlens.tables", "basketlens.stages"))
        for name in imports(path)
    )


@pytest.mark.parametrize("path", FILES, ids=named)
def test_torch_and_spark_do_not_meet(path):
    top = {name.split(".")[0] for name in imports(path, top_only=True)}
    everywhere = {name.split(".")[0] for name in imports(path)}
    if "torch" in top:
        assert "pyspark" not in everywhere
    if "pyspark" in top:
        assert not top & {"torch", "transformers", "scipy"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_the_edge_reads_files(path):
    if named(path) in READERS | MODEL_LOADER or named(path) in ("launch.py", "preflight.py", "locations.py"):
        return
    calls = [
        ast.unparse(node.func) + "("
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]
    readers = [call for call in calls if any(mark in call for mark in READING) and not call.startswith("io.")]
    assert readers == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_the_adapter_touches_the_jvm(path):
    if named(path) == "adapter.py":
        return
    attributes = {
        node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)
    }
    assert not attributes & {"_jvm", "_jsparkSession", "_jdf", "sparkContext", "rdd"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_stay_short(path):
    assert len(path.read_text().splitlines()) <= 300
    long = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno > 60
    ]
    assert long == []


def test_the_package_is_in_version_control():
    listed = subprocess.run(
        ["git", "ls-files", "lib"], cwd=LIB.parents[1], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: an unpacked archive")
    assert "lib/basketlens/columns.py" in listed.stdout
