"""`finetune`: attention trained on what was bought together, and what it is worth."""

import json
import re
import tempfile
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens import schemas
from basketlens.devices import map_on_device, task_device
from basketlens.errors import LimitError, SettingsError
from basketlens.finetune.fields import FACTS, HEADS, MOST_ITEMS, PAYLOAD, TABLE, TASK, Task
from basketlens.finetune.labelling import write_labels
from basketlens.finetune.shopping_rows import baskets_of, drawn, items_of, task_rows
from basketlens.settings import Settings
from basketlens.settings_files import masked
from basketlens.settings_finetune import FinetuneSettings
from basketlens.stage_io import StageIO

if TYPE_CHECKING:
    from basketlens.finetune.model_card import Measured

_LARGEST_MODEL: Final = 1  # rows
_MOST_FIGURES: Final = 10_000
_METRIC_NAME: Final = re.compile(r"[^\w .:/-]")  # what MLflow takes no metric names with

TRAINED_ROWS: Final = T.StructType(
    [
        T.StructField(TABLE, T.StringType()),
        *schemas.EVALUATION.fields,
        *schemas.PROJECTIONS.fields,
        T.StructField(PAYLOAD, T.BinaryType()),
        T.StructField(FACTS, T.StringType()),
    ]
)


def run(io: StageIO, settings: Settings) -> None:
    """`lines`, `products`, `items`, `embeddings` -> `projections` and `evaluation`; nothing when it is not enabled.

    Raises:
        InputError: there is too little to train on.
    """
    finetune, level = settings.finetune, settings.link.level
    if not finetune.enabled:
        io.note(enabled=False)
        return
    _check(finetune)
    products = io.read("products")
    io.write(
        "training_items",
        items_of(io.read("items"), products, io.read("embeddings"), level=level),
        doing="joining items and vectors",
    )
    baskets = baskets_of(io.read("lines"), products, level=level, max_items=settings.mine.max_basket_items)
    found = io.write("training_baskets", baskets, doing="grouping lines into baskets").rows
    chosen = drawn(io.read("training_baskets"), found=found, wanted=finetune.max_baskets)
    tasks = [Task(is_evaluation=False, seed=finetune.seed)]
    if finetune.evaluate.enabled:
        tasks += [Task(is_evaluation=True, seed=seed) for seed in finetune.evaluate.seeds]
    parts = [range(start, min(start + io.cores, len(tasks))) for start in range(0, len(tasks), io.cores)]
    trained = io.write_parts(
        f"trained_{io.cores}",
        [_trained(task_rows(io.read("training_items"), chosen, part), tasks, settings) for part in parts],
        doing=f"training on {found:,} baskets, {len(tasks)} times",
    )
    io.write("projections", _of(trained, "projections"), doing="writing projections")
    figures = [_of(trained, "evaluation")] if finetune.evaluate.enabled else []
    if finetune.labels.enabled:
        figures.append(write_labels(io, finetune.labels, seed=finetune.seed))
    if figures:
        io.write("evaluation", reduce(DataFrame.unionByName, figures), doing="writing evaluation")
    facts = _facts(io, trained)
    if finetune.evaluate.enabled:
        facts["winners"] = _winners(io)
    if finetune.export.enabled:
        _export(io, settings, trained, facts)
    io.note(baskets_found=found, **facts)


def _check(finetune: FinetuneSettings) -> None:
    """Say what is missing before the training, not after it."""
    if finetune.export.enabled and finetune.export.onnx:
        from basketlens.finetune.export_onnx import require_onnx

        require_onnx()
    if finetune.mlflow.uri:
        from basketlens.finetune.tracking import require_mlflow

        if not finetune.export.enabled:
            raise SettingsError(
                "finetune.mlflow.uri records an exported model, and finetune.export.enabled is false.\n"
                "  Next: --set finetune.export.enabled=true"
            )
        require_mlflow()


def _of(trained: DataFrame, table: str) -> DataFrame:
    """The rows that tasks gave for a table."""
    contract = {"projections": schemas.PROJECTIONS, "evaluation": schemas.EVALUATION}[table]
    return trained.filter(F.col(TABLE) == table).select(*contract.names)


def extra(settings: Settings) -> dict[str, str]:
    """The settings of other stages that the training depends on, where there is one."""
    if not settings.finetune.enabled:
        return {}
    return {"level": settings.link.level, "max_basket_items": str(settings.mine.max_basket_items)}


def _trained(rows: DataFrame, tasks: list[Task], settings: Settings) -> DataFrame:
    device = settings.finetune.device
    finetune = settings.finetune

    def train(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from basketlens.finetune.options import training_options  # torch lives on executors only
        from basketlens.finetune.training import training_pages

        first = next(batches, None)
        while first is not None and not len(first):
            first = next(batches, None)
        if first is None:
            return
        task = tasks[first[TASK][0].as_py()]
        where = task_device(device, setting="finetune.device")

        def whole() -> Iterator[pa.RecordBatch]:
            yield first
            yield from batches

        yield from training_pages(whole(), task, training_options(finetune), device=where)

    return map_on_device(rows, train, TRAINED_ROWS, wanted=device)


def _winners(io: StageIO) -> dict[str, Any]:
    """For each task the best method on validation, and the best one that the job can serve."""
    from basketlens.evaluate.rows import Row  # scipy on the driver, for this alone
    from basketlens.evaluate.winners import winners

    measured = io.read("evaluation").filter(F.col(c.TASK).rlike("^(baskets|pairs)"))  # not of labels
    frame = io.to_driver(measured, limit=_MOST_FIGURES, what="figures", doing="reading which method won")
    won = winners(Row(*row) for row in frame.itertuples(index=False, name=None))
    return {task: {"best": of.best, "used": of.usable, **of.parameters} for task, of in won.items()}


def _export(io: StageIO, settings: Settings, trained: DataFrame, facts: dict[str, Any]) -> None:
    """Write the folder `model`."""
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
        trained.filter(F.col(TABLE) == HEADS).select(PAYLOAD), limit=_LARGEST_MODEL, what="models", **doing
    )
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


def _facts(io: StageIO, trained: DataFrame) -> dict[str, Any]:
    """What the task that trained the model that is kept says of it."""
    rows = trained.filter(F.col(TABLE) == HEADS).select(FACTS)
    frame = io.to_driver(rows, limit=_LARGEST_MODEL, what="models", doing="reading what training says")
    return dict(json.loads(str(frame[FACTS].iloc[0])))
