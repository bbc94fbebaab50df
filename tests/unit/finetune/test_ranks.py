import json
import multiprocessing
import shutil
import signal
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from basketlens.errors import SettingsError
from basketlens.finetune.checkpoint import Checkpoint, load_state
from basketlens.finetune.heads import new_heads
from basketlens.finetune.ranks import ALONE, Ranks

from . import two_processes as two
from .shop import HEADS, shop


def run_two(work, folder: Path) -> list[int | None]:
    """Exit codes of two processes that do the same work side by side."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([work.__module__])  # torch is imported once
    processes = [server.Process(target=work, args=(rank, folder)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes left: two trainings, one that was killed, and the same resumed."""
    folder = tmp_path_factory.mktemp("ranks")
    first, second = run_two(two.train, folder)
    assert second == -signal.SIGKILL
    assert first not in (0, None)  # it noticed
    shutil.copytree(folder / "killed", folder / "resumed")
    assert run_two(two.resume, folder) == [0, 0]
    return folder


@pytest.fixture(scope="module")
def alone():
    return {kind: two.fitted(kind) for kind in ("pairs", "baskets")}


def curve_of(path: Path) -> list:
    return json.loads(path.read_text())


def assert_same_curve(found, wanted):
    assert [step for step, *_ in found] == [step for step, *_ in wanted] == list(range(1, two.STEPS + 1))
    for at in (1, 2):  # the loss of steps; held-out loss, where they looked
        pick = [(a[at], b[at]) for a, b in zip(found, wanted, strict=True) if b[at] is not None]
        assert np.array(pick)[:, 0] == pytest.approx(np.array(pick)[:, 1], abs=1e-5)
    assert sum(held_out is not None for *_, held_out in found) == 6


def assert_same_heads(found, wanted, tolerance=1e-4):
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("kind", ["pairs", "baskets"])
def test_two_processes_take_the_steps_of_one(kind, folder, alone):
    heads, curve = alone[kind]
    assert min(loss for _, loss, _ in curve) < curve[0][1] - 0.3  # there is something to agree about
    assert_same_curve(curve_of(folder / f"{kind}-0.json"), curve)
    assert curve_of(folder / f"{kind}-0.json") == curve_of(folder / f"{kind}-1.json")
    assert_same_heads(load_file(folder / f"{kind}-0.safetensors"), heads.state_dict())
    assert_same_heads(
        load_file(folder / f"{kind}-1.safetensors"), load_file(folder / f"{kind}-0.safetensors"), tolerance=0
    )


def test_the_first_process_alone_saves(folder):
    assert (folder / "pairs-state-0" / "checkpoint.json").exists()
    assert not (folder / "pairs-state-1").exists()


def test_a_killed_training_resumes_to_the_same_curve(folder):
    assert len(load_state(Checkpoint(folder / "killed", two.IDENTITY, 1)).facts["curve"]) == two.SAVED
    assert curve_of(folder / "resumed-0.json") == curve_of(folder / "pairs-0.json")
    assert_same_heads(
        load_file(folder / "resumed-0.safetensors"), load_file(folder / "pairs-0.safetensors"), tolerance=0
    )


def test_one_process_goes_on_where_two_were(folder, alone, tmp_path):
    shutil.copytree(folder / "killed", tmp_path / "state")
    heads, curve = two.fitted("pairs", state=tmp_path / "state")
    assert curve[: two.SAVED] == curve_of(folder / "pairs-0.json")[: two.SAVED]
    assert_same_curve(curve, alone["pairs"][1])
    assert_same_heads(heads.state_dict(), alone["pairs"][0].state_dict())


def test_states_that_are_not_the_same_everywhere_are_refused_everywhere(folder):
    for rank in (0, 1):
        told = (folder / f"refused-{rank}").read_text()
        assert told.startswith("Processes that train together see other checkpoints: 0, 30 steps")


def test_rows_that_a_process_does_not_see(tmp_path):
    (tmp_path / "rows.parquet").touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    assert run_two(two.blind, tmp_path) == [0, 0]
    for rank in (0, 1):
        told = (tmp_path / f"blind-{rank}").read_text()
        assert "finetune.processes = 2, but 1 of these processes do not see the rows to train on" in told


@pytest.mark.parametrize("seed", range(5))
def test_parts_cover_the_rows_and_their_means_make_the_whole_mean(seed):
    draw = np.random.default_rng(seed)
    rows, size = int(draw.integers(5, 40)), int(draw.integers(1, 6))
    ranks = [Ranks(rank, size) for rank in range(size)]
    assert [i for r in ranks for i in range(rows)[r.part(rows)]] == list(range(rows))
    assert (
        max(len(range(rows)[r.part(rows)]) for r in ranks)
        - min(len(range(rows)[r.part(rows)]) for r in ranks)
        <= 1
    )
    weights, losses = draw.uniform(0.1, 9, rows).astype(np.float32), draw.normal(size=rows)
    scaled = [
        np.average(losses[r.part(rows)], weights=weights[r.part(rows)]) * r.share(weights) for r in ranks
    ]
    assert np.mean(scaled) == pytest.approx(np.average(losses, weights=weights), rel=1e-6)


def test_more_processes_than_rows():
    with pytest.raises(SettingsError, match=r"finetune.processes = 8, but a step has 5 rows"):
        Ranks(0, 8).part(5)


def test_one_process_needs_no_group():
    heads = new_heads(shop().vectors, shop().purchases, HEADS, seed=0)
    take = ALONE.taking(heads, lambda heads, draw: heads.log_scale * draw.integers(2, 3))
    take(np.random.default_rng(0)).backward()
    assert heads.log_scale.grad == 2
    assert ALONE.mean(torch.tensor(3.0)) == ALONE.of_first(3.0) == ALONE.everyones(3)[0] == 3
