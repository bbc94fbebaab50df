"""The launcher: usage, dry runs, and answers that need no Spark."""

import shlex
import tomllib

import pytest

from basketlens import launch


def run(capsys, *argv):
    status = launch.main(argv)
    out = capsys.readouterr()
    return status, out.out, out.err


def test_help_names_every_job(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(
        job in out for job in ("pipeline", "clean", "embed", "link", "mine", "report", "serve", "doctor")
    )
    assert run(capsys, "mine", "--help")[1] == out


def test_a_dry_run_prints_settings_and_command_and_starts_nothing(capsys, monkeypatch):
    monkeypatch.setenv("BASKETLENS__PRIVACY__KEY", "correct horse battery staple")
    monkeypatch.setattr(launch.subprocess, "run", lambda *_, **__: pytest.fail("started"))
    status, out, _ = run(
        capsys, "mine", "--set", "mine.min_count=47", "--dry-run", "--", "--driver-memory", "7g"
    )
    assert status == 0
    printed, command = out.split("# spark-submit command\n")
    effective = tomllib.loads(printed)
    assert effective["mine"]["min_count"] == 47
    assert effective["privacy"]["key"] == "****"
    assert "horse" not in out
    words = shlex.split(command)
    assert words[0].endswith("spark-submit")
    assert words[words.index("--properties-file") + 1].endswith("conf/spark/local.conf")
    at = next(i for i, word in enumerate(words) if word.endswith("jobs/mine.py"))
    assert words[at - 2 : at] == ["--driver-memory", "7g"]  # before the job: spark-submit's own
    assert words[at + 1 :] == ["--set", "mine.min_count=47"]


def test_a_cluster_gets_our_package_and_the_key_file(capsys, tmp_path):
    import zipfile

    _, out, _ = run(
        capsys,
        "mine",
        "--dry-run",
        "--set",
        "spark.master=spark://10.0.0.1:7077",
        "--set",
        "privacy.key_file=/etc/key",
    )
    words = shlex.split(out.split("# spark-submit command\n")[1])
    assert words[words.index("--files") + 1] == "/etc/key"
    names = zipfile.ZipFile(words[words.index("--py-files") + 1]).namelist()
    assert {"basketlens/entry.py", "basketlens/conf/base.toml", "basketlens/report/page.html"} <= set(names)


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        pytest.param(["mien"], ["no job 'mien'", "pipeline"], id="job"),
        pytest.param(["mine", "--fast"], ["--fast", "--set"], id="option"),
        pytest.param(["mine", "--env"], ["--env"], id="no-value"),
        pytest.param(["mine", "--env", "mars"], ["no environment 'mars'", "local"], id="environment"),
        pytest.param(["mine", "--set", "mine.min_count=-1"], ["mine.min_count", "--set"], id="range"),
        pytest.param(["mine", "--set", "tables.root="], ["tables.root is empty"], id="no-root"),
        pytest.param(["clean", "--set", "input.transactions=/no/such/*.csv"], ["matches no file"], id="no-input"),
        pytest.param(["clean", "--set", "input.transactions=package:nothing/x"], ["not installed"], id="no-package"),
        pytest.param(["embed", "--set", "embed.model=/no/model"], ["is no folder"], id="no-model"),
        pytest.param(["mine", "--set", "spark.properties=moon.conf"], ["moon.conf", "local.conf"], id="properties"),
    ],
)  # fmt: skip
def test_mistakes_get_one_message_and_status_2(capsys, argv, parts):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert [part for part in parts if part not in err] == [], err
    assert "Traceback" not in err


def test_a_full_disk_is_a_fault_worth_retrying(capsys, tmp_path):
    status, _, err = run(
        capsys, "mine", "--set", f"tables.root={tmp_path}/t", "--set", "tables.min_free_gib=99999"
    )
    assert status == 4
    assert "too full" in err


def test_a_model_folder_without_safetensors_is_refused(capsys, tmp_path):
    for name in ("config.json", "tokenizer.json", "pytorch_model.bin"):
        (tmp_path / name).write_text("{}")
    status, _, err = run(capsys, "embed", "--set", f"embed.model={tmp_path}")
    assert status == 2
    assert "*.safetensors is missing" in err
    assert "can run code when loaded" in err
