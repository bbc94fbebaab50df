"""The part of `finetune` that writes the model as a folder, and tells MLflow of it."""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.errors import LimitError
from basketlens.finetune.fields import ENCODER, FACTS, HEADS, MOST_ITEMS, MOST_PARTS, PAYLOAD, TABLE
from basketlens.settings import Settings
from basketlens.settings_files import masked
from basketlens.stage_io import StageIO

if TYPE_CHECKING:
    from basketlens.finetune.model_card import Measured

_MOST_FIGURES: Final = 10_000
_METRIC_NAME: Final = re.compile(r"[^\w .:/-]")  # what MLflow takes no metric names with


def write_model_folder(io: StageIO, settings: Settings, trained: DataFrame, facts: Mapping[str, Any]) -> None:
    """Write the folder `model`.

    Args:
        io: of the stage.
        settings: of the run.
        trained: what the tasks gave back.
        facts: what the task that trained the model said of itself.

    Raises:
        LimitError: the model has too many items to pass the driver.
        InputError: a package is missing, the encoder is of another width, or ONNX and torch differ.
        FaultError: MLflow's store cannot be written.
    """
    from basketlens.finetune.export import ExportOptions  # torch on the driver, for this alone
    from basketlens.finetune.exporting import write_model
    from basketlens.finetune.model_card import Measured

    if facts["items"] > MOST_ITEMS:
        raise LimitError(
            f"A model of {facts['items']:,} items is not exported: its weights would pass the driver.\n"
            f"  At most: {MOST_ITEMS:,}\n  Next: --set finetune.export.enabled=false; table 'projections' has queries and keys"
        )
    doing = {"doing": "exporting the model"}
    heads = io.to_driver(
        trained.filter(F.col(TABLE) == HEADS).select(PAYLOAD), limit=1, what="models", **doing
    )
    parts = io.to_driver(
        trained.filter(F.col(TABLE) == ENCODER).select(PAYLOAD, FACTS),
        limit=MOST_PARTS, what="parts of an encoder", **doing,
    )  # fmt: skip
    numbers = [json.loads(said)["part"] for said in parts[FACTS]]
    named = io.read("items").filter(F.col(c.LEVEL) == settings.link.level).select(c.ITEM_ID, c.ITEM_NAME)
    items = io.to_driver(
        io.read("training_items").select(c.ITEM_ID).join(named, c.ITEM_ID).orderBy(c.ITEM_ID),
        limit=MOST_ITEMS, what="items", **doing,
    )  # fmt: skip
    figures = io.to_driver(_main_figures(trained), limit=_MOST_FIGURES, what="figures", **doing)
    measured = [
        Measured(str(method), str(task), str(metric), float(value), None, None)
        for method, task, metric, value in figures.itertuples(index=False, name=None)
    ]
    with tempfile.TemporaryDirectory() as folder:
        write_model(
            Path(folder) / "model",
            bytes(heads[PAYLOAD].iloc[0]),
            [bytes(part) for _, part in sorted(zip(numbers, parts[PAYLOAD], strict=True))],
            ids=items[c.ITEM_ID].tolist(),
            names=items[c.ITEM_NAME].tolist(),
            facts=facts,
            measured=measured,
            embed=settings.embed,
            options=ExportOptions(settings.finetune.export.onnx, settings.finetune.export.state_dict),
        )
        io.write_folder("model", Path(folder) / "model")
        if settings.finetune.mlflow.uri:
            _record(io, settings, measured, Path(folder) / "model")


def _record(io: StageIO, settings: Settings, measured: "list[Measured]", folder: Path) -> None:
    """Tell MLflow what was set and what came out."""
    from basketlens.finetune.tracking import LOGGED, TrackingOptions, record

    metrics = {_METRIC_NAME.sub("_", f"{m.method} {m.task} {m.metric}"): m.value for m in measured}
    plain = {section: masked(settings)[section] for section in LOGGED}  # an address may hold a password
    of = settings.finetune.mlflow
    record(TrackingOptions(of.uri, of.experiment), plain, metrics, folder, run_id=io.run_id)


def _main_figures(trained: DataFrame) -> DataFrame:
    """method, task, metric and the mean over seeds, of all targets of the test."""
    is_main = F.col(c.TASK).isin("baskets.test", "pairs.test", "calibration.test") & (F.col(c.CLASS) == "all")
    rows = trained.filter((F.col(TABLE) == "evaluation") & is_main)
    by = (c.METHOD, c.TASK, c.METRIC)
    return (
        rows.groupBy(*by)
        .agg(F.avg(c.VALUE).alias(c.VALUE))
        .orderBy(c.TASK, c.METRIC, F.desc(c.VALUE), c.METHOD)
    )
