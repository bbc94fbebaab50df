"""`finetune`: attention trained on what was bought together, and what it is worth."""

import json
from collections.abc import Iterator
from functools import partial, reduce
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from basketlens import schemas
from basketlens.devices import map_on_device, task_device
from basketlens.errors import SettingsError
from basketlens.finetune.fields import FACTS, HEADS, PAYLOAD, TABLE, TASK, Task
from basketlens.finetune.labelling import write_labels
from basketlens.finetune.model_step import write_model_folder
from basketlens.finetune.shopping_rows import baskets_of, drawn, items_of, task_rows
from basketlens.finetune.together import shared_path, train_together, wait_for_slots
from basketlens.settings import Settings
from basketlens.settings_finetune import FinetuneSettings
from basketlens.stage_io import StageIO

_LARGEST_MODEL: Final = 1  # rows
_PATIENCE_S: Final = 60  # with executors that have not come yet

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
    """`lines`, `products`, `items`, `embeddings` -> `projections`, `basket_projections`, `evaluation`; nothing when it is not enabled.

    Raises:
        InputError: there is too little to train on.
    """
    finetune, level = settings.finetune, settings.link.level
    if not finetune.enabled:
        io.note(enabled=False)
        return
    _check(finetune)
    if finetune.processes > 1:
        shared_path(settings.tables.root)
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
    trained = _trained(
        io, chosen, tasks, settings, doing=f"training on {found:,} baskets, {len(tasks)} times"
    )
    for name in ("projections", *(["basket_projections"] if finetune.evaluate.enabled else [])):
        io.write(name, _of(trained, name), doing=f"writing {name}")
    figures = [_of(trained, "evaluation")] if finetune.evaluate.enabled else []
    if finetune.labels.enabled:
        figures.append(write_labels(io, finetune.labels, seed=finetune.seed))
    if figures:
        io.write("evaluation", reduce(DataFrame.unionByName, figures), doing="writing evaluation")
    facts = _facts(io, trained)
    if finetune.evaluate.enabled:
        facts["winners"] = _winners(io)
    if finetune.export.enabled:
        write_model_folder(io, settings, trained, facts)
    io.note(baskets_found=found, **facts)


def _check(finetune: FinetuneSettings) -> None:
    """Say what is missing before the training, not after it."""
    if finetune.processes > 1 and finetune.scope == "encoder":
        raise SettingsError(
            f"finetune.processes = {finetune.processes}, but an encoder is trained by one process.\n"
            "  Next: --set finetune.processes=1, or --set finetune.scope=heads"
        )
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
    contract = schemas.EVALUATION if table == "evaluation" else schemas.PROJECTIONS
    return trained.filter(F.col(TABLE) == table).select(*contract.names)


def extra(settings: Settings) -> dict[str, str]:
    """The settings of other stages that the training depends on, where there is one."""
    if not settings.finetune.enabled:
        return {}
    found = {"level": settings.link.level, "max_basket_items": str(settings.mine.max_basket_items)}
    if settings.finetune.evaluate.enabled:
        found["ease.max_items"] = str(settings.ease.max_items)
    if settings.finetune.augment.replace:
        found["abbreviations"] = str(sorted(settings.clean.abbreviations.items()))
    return found


def _trained(
    io: StageIO, baskets: DataFrame, tasks: list[Task], settings: Settings, *, doing: str
) -> DataFrame:
    """What the tasks give back: side by side, or one after another by several processes each."""
    items = io.read("training_items")
    if settings.finetune.processes > 1:
        return _trained_together(io, task_rows(items, baskets, range(1)), tasks, settings, doing=doing)
    parts = [range(start, min(start + io.cores, len(tasks))) for start in range(0, len(tasks), io.cores)]
    made = [partial(_by_tasks, task_rows(items, baskets, part), tasks, settings) for part in parts]
    return io.write_parts(f"trained_{io.cores}", made, doing=doing)


def _trained_together(
    io: StageIO, rows: DataFrame, tasks: list[Task], settings: Settings, *, doing: str
) -> DataFrame:
    io.write("training_rows", rows, doing="writing what every process reads")
    source = io.folder("training_rows", rows.schema)
    wait_for_slots(settings.finetune.processes, io.slots, seconds=_PATIENCE_S)

    def made(number: int) -> DataFrame:
        name = f"trained_{number}"
        target = io.folder(name, TRAINED_ROWS)
        train_together(rows, source, target, tasks[number], settings)
        return io.read(name)

    return io.write_parts("trained_together", [partial(made, n) for n in range(len(tasks))], doing=doing)


def _by_tasks(rows: DataFrame, tasks: list[Task], settings: Settings) -> DataFrame:
    device = settings.finetune.device
    finetune, embed, abbreviations = settings.finetune, settings.embed, settings.clean.abbreviations
    ease_items = settings.ease.max_items

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

        options = training_options(finetune, embed, abbreviations, ease_items=ease_items)
        yield from training_pages(whole(), task, options, device=where)

    return map_on_device(rows, train, TRAINED_ROWS, wanted=device)


def _winners(io: StageIO) -> dict[str, Any]:
    """For each task the best method on validation, and the best one that the job can serve."""
    from basketlens.evaluate.winners import winners  # scipy on the driver, for this alone
    from basketlens.measured import read_figures

    won = winners(read_figures(io))
    return {task: {"best": of.best, "used": of.usable, **of.parameters} for task, of in won.items()}


def _facts(io: StageIO, trained: DataFrame) -> dict[str, Any]:
    """What the task that trained the model that is kept says of it."""
    rows = trained.filter(F.col(TABLE) == HEADS).select(FACTS)
    frame = io.to_driver(rows, limit=_LARGEST_MODEL, what="models", doing="reading what training says")
    return dict(json.loads(str(frame[FACTS].iloc[0])))
