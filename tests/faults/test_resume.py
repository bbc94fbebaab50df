"""Attention is computed in parts: what a stopped run has finished, the next one does not compute again."""

import json

import numpy as np
import pytest

from basketlens import schemas
from basketlens.adapter import FileSystem
from basketlens.checkpoints import Checkpoints
from basketlens.link import stage
from basketlens.progress import PlainProgress
from basketlens.run import Run
from tests.builders import settings, table


class Stopped(BaseException):
    """Ctrl-C, or a scheduler that loses patience."""


class Impatient(PlainProgress):
    """Stops the run when it reaches a step."""

    def __init__(self, at: str) -> None:
        self.at, self.seen = at, []

    def running(self, stage: str, doing: str) -> None:
        self.seen.append(doing)
        if self.at and self.at in doing:
            raise Stopped


@pytest.fixture
def link(spark, tmp_path, monkeypatch):
    """`link` on 40 items, cut into 3 parts of 2 blocks."""
    monkeypatch.setattr(stage, "block_count", lambda items, **_: 6)
    draw = np.random.default_rng(1).normal(size=(40, 4)).astype(float)
    ids = [f"i{n:02d}" for n in range(40)]
    rows = {
        "items": (schemas.ITEMS, [{"item_id": i, "level": "name", "lines": 1} for i in ids]),
        "products": (schemas.PRODUCTS, [{"product_id": i, "name_hash": i} for i in ids]),
        "embeddings": (schemas.EMBEDDINGS_INPUT, [{"name_hash": i, "embedding": v.tolist()} for i, v in zip(ids, draw, strict=True)]),
    }  # fmt: skip
    for name, (contract, values) in rows.items():
        table(spark, contract, *values).write.parquet(f"{tmp_path}/own/{name}")
    reads = [f"tables.read.{name}={tmp_path}/own/{name}" for name in rows]

    def run(root: str, progress: PlainProgress, *more: str, force: bool = False):
        chosen = settings(f"tables.root={tmp_path}/{root}", *reads, *more)
        Run(spark, chosen, progress, root, force=force).execute(("link",))
        tables = {
            name: spark.read.parquet(f"{tmp_path}/{root}/{name}").toPandas()
            for name in ("links", "link_stats")
        }
        [step] = [
            s
            for s in json.loads((tmp_path / root / "_manifests/link.json").read_text())["steps"]
            if "parts" in s
        ]
        return {
            name: frame.sort_values(list(frame.columns[:2]), ignore_index=True)
            for name, frame in tables.items()
        }, step

    return run


def test_a_stopped_run_goes_on_where_it_stopped(link, tmp_path):
    wanted, step = link("whole", PlainProgress())
    assert (step["parts"], step["parts_found"]) == (3, 0)
    with pytest.raises(Stopped):
        link("stopped", Impatient("part 3 of 3"))
    assert not (tmp_path / "stopped" / "links").exists()
    with pytest.raises(Stopped):  # later, with all parts done
        link("stopped", Impatient("writing links"))
    progress = Impatient("")
    found, step = link("stopped", progress)
    assert step["parts_found"] == 3
    assert not any("part " in doing for doing in progress.seen)
    for name, frame in wanted.items():
        assert found[name].equals(frame)
    assert not (tmp_path / "stopped" / "_checkpoints" / "link").exists()


@pytest.mark.parametrize(
    ("more", "force"), [(("link.top_k=3",), False), ((), True)], ids=["other-settings", "force"]
)
def test_what_is_of_something_else_or_unwanted_is_computed_anew(link, more, force):
    with pytest.raises(Stopped):
        link("stopped", Impatient("part 3 of 3"))
    _, step = link("stopped", PlainProgress(), *more, force=force)
    assert step["parts_found"] == 0


def test_a_part_that_was_not_written_to_its_end_does_not_count(spark, tmp_path):
    files = FileSystem(spark, str(tmp_path))
    parts = [lambda: spark.range(3).toDF("n"), lambda: spark.range(3, 5).toDF("n")]
    checkpoints = Checkpoints(spark, files, str(tmp_path), "link", "f1")
    told: list[int] = []
    checkpoints.whole("t", parts, told=told.append)
    [torn] = tmp_path.glob("_checkpoints/link/f1/t/00001-of-00002/_SUCCESS")
    torn.unlink()
    rows, found = checkpoints.whole("t", parts, told=told.append)
    assert (told, found) == ([0, 1, 1], 1)
    assert sorted(row.n for row in rows.collect()) == [0, 1, 2, 3, 4]
    Checkpoints(spark, files, str(tmp_path), "link", "f2").drop_others()
    assert list(tmp_path.glob("_checkpoints/link/*")) == []
