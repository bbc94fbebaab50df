"""A record of a training run in MLflow: what was set, what came out, the model folder."""

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from basketlens.errors import FaultError, InputError

# Of settings, these sections alone are logged: others may hold paths with credentials or the place of the privacy key.
LOGGED: Final = ("finetune", "link")


class TrackingOptions(NamedTuple):
    """Where the record goes."""

    uri: str  # of MLflow's store: sqlite:///FILE, a folder where MLflow still takes one, or a server
    experiment: str


def require_mlflow() -> None:
    """Fail before training, not after it.

    Raises:
        InputError: the extra is not installed.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise InputError(
            "Training is to be recorded in MLflow, which is not installed.\n"
            "  Next: pip install 'basketlens[mlflow]', or switch the record off"
        )


def record(
    options: TrackingOptions,
    settings: Mapping[str, Any],
    metrics: Mapping[str, float],
    folder: Path,
    *,
    run_id: str,
) -> str:
    """Write one run.

    A store in SQL keeps the folder's copy where the experiment was told to when it was made, by default in `mlruns` of
    the folder that the process runs in.

    Args:
        options: where.
        settings: by section; `LOGGED` ones are written, by dotted names.
        metrics: name -> value.
        folder: the exported model; it is copied to the store as `model`.
        run_id: ours, as a tag and as the name.

    Returns:
        The id that MLflow gave the run.

    Raises:
        FaultError: the store cannot be reached or written.
    """
    require_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        # A client of our own: the library's global run would be shared with the user's notebook.
        client: Any = MlflowClient(tracking_uri=options.uri)
        known = client.get_experiment_by_name(options.experiment)
        experiment = known.experiment_id if known else client.create_experiment(options.experiment)
        made = client.create_run(experiment, run_name=run_id, tags={"basketlens.run_id": run_id}).info.run_id
        for section in LOGGED:
            for name, value in _flat(section, settings.get(section, {})).items():
                client.log_param(made, name, value)
        for name, value in metrics.items():
            client.log_metric(made, name, value)
        client.log_artifacts(made, str(folder), "model")
        client.set_terminated(made)
    except (MlflowException, OSError) as error:
        raise FaultError(
            f"MLflow's store cannot be written.\n  It says: {_without_password(str(error).splitlines()[0])}\n"
            "  The model itself is written; try the record again, or switch it off"
        ) from None
    return str(made)


def _without_password(text: str) -> str:
    """The store's own messages repeat its address."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)


def _flat(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {key: v for inner in value for key, v in _flat(f"{name}.{inner}", value[inner]).items()}
    return {name: value}
