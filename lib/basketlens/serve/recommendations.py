"""The step of `serve` that recommends what a basket lacks, by the method that won on this data."""

import math
from functools import reduce
from typing import Final, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.ease import require_memory as require_driver_memory
from basketlens.errors import InputError
from basketlens.evaluate.tasks import BASKETS
from basketlens.evaluate.winners import Blend, blend_of, winners
from basketlens.measured import read_figures
from basketlens.serve.asked import DAY, latest_of, open_of, shopping_of, with_history
from basketlens.serve.fields import NAME, Options
from basketlens.serve.linear import weight_pieces
from basketlens.serve.plan import CELLS, MIB, recommended, require_memory, rows_of_tasks, tasks_for
from basketlens.settings import Settings
from basketlens.stage_io import StageIO

EASE: Final = "ease"  # the method where nothing was measured


class _Method(NamedTuple):
    """What scores baskets."""

    name: str
    blend: Blend


def write_recommendations(io: StageIO, settings: Settings) -> None:
    """Write `recommendations`; nothing, and a note why, where there is nothing to recommend by or nobody to recommend to.

    Raises:
        InputError: attention won, and no basket attention was kept.
        LimitError: the model is larger than the settings allow.
    """
    method = _method(io, settings)
    if method.blend.ease and not _is_there(io, settings, "copurchases"):
        io.note(recommendations=f"none: mine.levels without '{settings.report.level}' leaves no co-purchases")
        return
    asked, found = _asked(io, settings, method.blend)
    if not found:
        io.note(recommendations="none: no basket is open, and no line has a customer")
        return
    items, n, width = _candidates(io, settings, method.blend)
    in_ease = min(settings.ease.max_items, n) if method.blend.ease else 0
    require_driver_memory(in_ease, limit=settings.ease.memory_mib * MIB)
    require_memory(n, width=width, in_ease=in_ease, limit=settings.serve.memory_mib * MIB)
    tasks = tasks_for(found, cores=io.cores)
    weights = _weights(io, settings, method.blend) if in_ease else None
    options = Options(method.blend, method.name, settings.serve.recommendations, CELLS)
    rows = rows_of_tasks(items, weights, asked, tasks=tasks)
    written = io.write(
        "recommendations",
        recommended(rows, options),
        doing=f"recommending to {found:,} baskets",
        measures={"served": F.count_if(F.col(c.RANK) == 1)},
    )
    io.note(
        recommendations={
            "method": method.name, "baskets": found, "tasks": tasks, "candidates": n,
            "baskets_without": found - int(written.measures["served"] or 0),
            # JSON has no word for an endless half-life.
            **{name: value if math.isfinite(value) else None for name, value in method.blend._asdict().items()},
        }
    )  # fmt: skip


def _method(io: StageIO, settings: Settings) -> _Method:
    """The winner for baskets that can be served; without figures EASE, which needs no training."""
    read = settings.tables.read
    is_ours = "basket_projections" not in read and io.has("evaluation")
    figures = read_figures(io) if "evaluation" in read or is_ours else []
    if not figures:
        return _Method(EASE, Blend(1.0, settings.ease.ridge, 0.0, 0.0, float("inf"), 0.0))
    won = winners(figures)[BASKETS]
    return _Method(won.usable, blend_of(won))


def _is_there(io: StageIO, settings: Settings, table: str) -> bool:
    return table in settings.tables.read or io.has(table)


def _asked(io: StageIO, settings: Settings, blend: Blend) -> tuple[DataFrame, int]:
    """Scratch `asked`: the baskets with their customers' other purchases; how many there are."""
    level, products = settings.report.level, io.read("products")
    io_day = io.write(
        "shopping",
        shopping_of(io.read("lines"), products, level=level),
        doing="grouping lines into baskets",
        measures={"last_day": F.max(DAY)},
    )
    shopping, is_open = io.read("shopping"), "open_baskets" in settings.tables.read
    asked = open_of(io.read("open_baskets"), products, level=level) if is_open else latest_of(shopping)
    until = int(io_day.measures["last_day"] or 0) + 1
    known = with_history(asked, shopping, until=until, half_life_weeks=blend.half_life_weeks)
    found = io.write("asked", known, doing="gathering what customers bought before").rows
    return io.read("asked"), found


def _candidates(io: StageIO, settings: Settings, blend: Blend) -> tuple[DataFrame, int, int]:
    """Scratch `candidates`: items that were sold, with vectors where attention takes part; how many, and how wide."""
    is_sold = (F.col(c.LEVEL) == settings.report.level) & (F.col(c.LINES) > 0)
    items = io.read("items").filter(is_sold).select(c.ITEM_ID, F.col(c.ITEM_NAME).alias(NAME))
    measures = {}
    if blend.attention:
        if not _is_there(io, settings, "basket_projections"):
            raise InputError(
                "Attention of baskets won in table 'evaluation', but there is no table 'basket_projections'.\n"
                "  Next: run finetune again with finetune.evaluate.enabled=true, or name your own:"
                " --set tables.read.basket_projections=PATH"
            )
        items = items.join(io.read("basket_projections"), c.ITEM_ID, "left")
        measures = {"width": F.max(F.size(c.QUERY))}
    written = io.write("candidates", items, doing="listing what may be recommended", measures=measures)
    width = max(0, int(written.measures.get("width") or 0))
    if blend.attention and not width:
        raise InputError(
            "Table 'basket_projections' has none of the items that were sold.\n"
            "  Next: run finetune again over the same receipts"
        )
    return io.read("candidates"), written.rows, width


def _weights(io: StageIO, settings: Settings, blend: Blend) -> DataFrame | None:
    """Scratch `ease`: its weights, solved on the driver; None where co-purchases are of one item or none."""
    frame = io.to_driver(
        io.read("copurchases"),
        limit=settings.ease.max_items,
        what="items of EASE",
        doing="reading co-purchases",
    )
    session = io.read("copurchases").sparkSession
    kind = "key_id string, weights binary"
    pieces = [session.createDataFrame(piece, kind) for piece in weight_pieces(frame, ridge=blend.ridge)]
    if not pieces:
        return None
    io.write("ease", reduce(DataFrame.unionByName, pieces), doing="solving EASE")
    return io.read("ease")
