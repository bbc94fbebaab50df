"""clean: raw receipts and catalogue -> lines, rejects, products, items, and how good the data was."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import privacy_key
from basketlens.clean import gates, mapping
from basketlens.clean.catalogue import products_of
from basketlens.clean.customers import with_customer_key
from basketlens.clean.items import items_of
from basketlens.clean.lines import merged_lines, rejects_of, single_lines
from basketlens.clean.places import KIND, REJECT, SHARED, is_return, with_kind
from basketlens.clean.receipts import FROM_RETURNS, IS_UNKNOWN, Feed, checked
from basketlens.clean.returns import LEFT
from basketlens.clean.settle import Settled, settle
from basketlens.errors import InputError
from basketlens.settings import Settings
from basketlens.stage_io import StageIO, Written
from basketlens.windows import DayWindow


def run(io: StageIO, settings: Settings) -> None:
    """Every source row becomes part of a line or a reject with its reasons; the totals must agree."""
    clean = settings.clean
    feeds = _feeds(io, settings)
    io.write("products", _products(io, settings, feeds[0].rows), doing="reading the catalogue")
    receipts = io.write(
        "receipts",
        _receipts(feeds, io.read("products"), settings),
        doing="reading and checking receipts",
        measures=_counts(),
        by=KIND,
    )
    settled = settle(
        io,
        shared=receipts.measures["shared"] or 0,
        returns=receipts.measures["returns"] or 0,
        has_line_ids=bool(clean.columns.get(c.LINE_ID)),
        everywhere=clean.duplicates == "everywhere",
    )
    lines = io.write(
        "lines",
        _lines(settled),
        doing="writing lines",
        measures={c.SOURCE_ROWS: F.sum(c.SOURCE_ROWS), **gates.measures(clean.gates)},
    )
    rejects = io.write(
        "rejects", _rejects(io, settled, settings), doing="writing rejects", measures=gates.per_reason()
    )
    rows_in = _account(io, settings, feeds, receipts, lines, rejects)
    figures = {
        **lines.measures,
        **rejects.measures,
        "unknown_products": receipts.measures["unknown_products"],
    }
    _judge(io, settings, {"rows_in": rows_in, "rows_rejected": rejects.rows, **figures})
    io.write("items", items_of(io.read("products"), io.read("lines")), doing="listing items")


def extra(settings: Settings) -> Mapping[str, str]:
    """The key's fingerprint: another key makes other customer keys."""
    clean = settings.clean
    has_customers = any(columns.get(c.CUSTOMER_ID) for columns in (clean.columns, clean.return_columns))
    return {"key": privacy_key.prepare(settings.privacy)} if has_customers else {}


def _feeds(io: StageIO, settings: Settings) -> list[Feed]:
    """The log, and the feed of returns where there is one."""
    clean, has_catalogue = settings.clean, bool(settings.input.products)
    log = io.source("raw_lines", mapping.wanted_lines(clean, with_names=not has_catalogue))
    feeds = [Feed(log, clean.columns, is_returns=False)]
    if settings.input.returns:
        returned = io.source("raw_returns", mapping.wanted_returns(clean))
        feeds.append(Feed(returned, clean.return_columns, is_returns=True))
    return feeds


def _products(io: StageIO, settings: Settings, raw: DataFrame) -> DataFrame:
    clean = settings.clean
    if settings.input.products:
        rows = io.source("raw_products", mapping.wanted_products(clean))
        return products_of(rows, clean.product_columns, settings, sold=F.lit(None).cast("timestamp"))
    source = clean.columns.get(c.SOLD_AT)
    sold = mapping.sold_at(raw, source, settings.input) if source else F.lit(None).cast("timestamp")
    return products_of(raw, clean.columns, settings, sold=sold)


def _counts() -> Mapping[str, Column]:
    return {
        "shared": F.count_if(F.col(KIND) == SHARED),
        "returns": F.count_if(F.col(c.REASONS).isNull() & is_return()),
        "from_returns": F.count_if(FROM_RETURNS),
        "unknown_products": F.count_if(IS_UNKNOWN),
    }


def _receipts(feeds: Sequence[Feed], products: DataFrame, settings: Settings) -> DataFrame:
    """All rows with our types, their own reasons, and what is to be done with them."""
    key_file = settings.privacy.key_file
    keyed = (
        feed._replace(rows=with_customer_key(feed.rows, feed.mapped, key_file=key_file)) for feed in feeds
    )
    rows = reduce(DataFrame.unionByName, (checked(feed, products, settings) for feed in keyed))
    return rows.transform(with_kind, has_line_ids=bool(settings.clean.columns.get(c.LINE_ID)))


def _lines(settled: Settled) -> DataFrame:
    is_kept = F.col(c.REASONS).isNull() & ~is_return() & (F.col(LEFT) > 0)
    return single_lines(settled.singles).unionByName(merged_lines(settled.others.filter(is_kept)))


def _rejects(io: StageIO, settled: Settled, settings: Settings) -> DataFrame:
    own = io.read("receipts").filter(F.col(KIND) == REJECT).drop(KIND)
    others = settled.others.filter(F.col(c.REASONS).isNotNull()).drop(LEFT)
    return rejects_of(own.unionByName(others), io.run_id, DayWindow.of(settings.clean))


def _account(
    io: StageIO,
    settings: Settings,
    feeds: Sequence[Feed],
    receipts: Written,
    lines: Written,
    rejects: Written,
) -> int:
    """Check that no row was lost; how many there were."""
    kept = int(lines.measures[c.SOURCE_ROWS] or 0)
    rows_in = io.rows_read("raw_lines") if receipts.rows else 0
    rows_in += io.rows_read("raw_returns") if receipts.measures["from_returns"] else 0
    if kept + rejects.rows != rows_in or not rows_in:
        # The count of the first pass may be off (see `rows_read`): count again, alone, before crying wolf.
        counts = (feed.rows.agg(F.count("*").alias("rows")) for feed in feeds)
        recount = io.to_driver(
            reduce(DataFrame.unionByName, counts),
            limit=len(feeds),
            what="counts",
            doing="counting source rows again",
        )
        rows_in = int(recount["rows"].sum())
    if rows_in == 0:
        raise InputError(f"input.transactions = '{settings.input.transactions}' is empty: no rows in it.")
    if kept + rejects.rows != rows_in:
        raise AssertionError(
            f"{rows_in} rows came in, but {kept} went into lines and {rejects.rows} were rejected"
        )
    io.note(rows_in=rows_in, rows_kept=kept, rows_merged=kept - lines.rows, rows_rejected=rejects.rows)
    return rows_in


def _judge(io: StageIO, settings: Settings, figures: Mapping[str, float]) -> None:
    """Log how good the data was, also when it is not good enough to go on."""
    limits, window = settings.clean.gates, DayWindow.of(settings.clean)
    earlier = None
    if io.has("data_quality"):
        history = gates.earlier_runs(io.read("data_quality"), limits, window)
        earlier = io.to_driver(
            history,
            limit=gates.history_limit(limits),
            what="figures of earlier runs",
            doing="reading earlier figures",
        )
    verdicts = gates.judge(limits, {name: value or 0 for name, value in figures.items()}, earlier)
    io.log(
        "data_quality",
        gates.rows_of(verdicts, run_id=io.run_id, window=window, measured_at=datetime.now(UTC)),
    )
    io.note(quality_warnings=gates.warnings_of(verdicts))
    gates.stop_if_failed(verdicts)
