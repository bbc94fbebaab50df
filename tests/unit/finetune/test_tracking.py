import pytest

from basketlens.errors import FaultError, InputError
from basketlens.finetune.tracking import TrackingOptions, record, require_mlflow

SETTINGS = {
    "finetune": {"heads": {"width": 192}, "seed": 7},
    "privacy": {"key_file": "/secret"},
    "input": {"a": "s3://k:s@b"},
}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "trained"
    (made / "encoder").mkdir(parents=True)
    (made / "encoder" / "config.json").write_text("{}")
    (made / "manifest.json").write_text("{}")
    return made


def test_a_run_is_in_the_store_with_its_model_and_no_secret(tmp_path, folder, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    pytest.importorskip("sqlalchemy", reason="mlflow-skinny keeps a local store in SQL alone, by sqlalchemy")
    pytest.importorskip("alembic", reason="mlflow-skinny makes a local store by alembic")
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    options = TrackingOptions(f"sqlite:///{tmp_path}/mlflow.db", "basketlens")
    ids = [record(options, SETTINGS, {"hit_rate_10": 0.15}, folder, run_id=name) for name in ("one", "two")]
    client = MlflowClient(tracking_uri=options.uri)
    runs = client.search_runs([client.get_experiment_by_name("basketlens").experiment_id])
    assert {run.info.run_id for run in runs} == set(ids)
    assert {run.data.tags["basketlens.run_id"] for run in runs} == {"one", "two"}
    assert runs[0].data.params == {"finetune.heads.width": "192", "finetune.seed": "7"}
    assert runs[0].data.metrics == {"hit_rate_10": 0.15}
    assert runs[0].info.status == "FINISHED"
    assert [f.path for f in client.list_artifacts(ids[0], "model/encoder")] == ["model/encoder/config.json"]


def test_a_store_that_cannot_be_written(tmp_path, folder):
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    with pytest.raises(FaultError, match="MLflow's store cannot be written") as error:
        record(TrackingOptions("nonsense://me:secret@x", "e"), SETTINGS, {}, folder, run_id="one")
    assert "//***@x" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"basketlens\[mlflow\]"):
        require_mlflow()
