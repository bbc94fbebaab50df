"""clean: raw receipts and catalogue -> lines, rejects, products, items."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens import privacy_key
from basketlens.clean import mapping
from basketlens.clean.catalogue import products_of
from basketlens.clean.customers import with_customer_key
from basketlens.clean.items import items_of
from basketlens.clean.lines import merged_lines, rejects_of
from basketlens.clean.receipts import typed, with_reasons
from basketlens.clean.repeats import with_repeated_line_ids, with_repeated_rows, with_unit
from basketlens.clean.returns import with_returns
from basketlens.errors import GateError, InputError
from basketlens.settings import Settings
from basketlens.source_columns import source_column
from basketlens.stage_io import StageIO, Written


def run(io: StageIO, settings: Settings) -> None:
    """Every source row becomes part of a line or a reject with its reasons; the totals must agree."""
    clean, has_catalogue = settings.clean, bool(settings.input.products)
    raw = io.source("raw_lines", mapping.wanted_lines(clean, with_names=not has_catalogue))
    io.write("products", _products(io, settings, raw), doing="reading the catalogue")
    receipts = io.write(
        "receipts", _receipts(raw, io.read("products"), settings), doing="reading and checking receipts"
    )
    lines = io.write(
        "lines",
        merged_lines(io.read("receipts")),
        doing="merging lines",
        measures={c.SOURCE_ROWS: F.sum(c.SOURCE_ROWS)},
    )
    rejects = io.write("rejects", rejects_of(io.read("receipts"), io.run_id), doing="writing rejects")
    io.write("items", items_of(io.read("products"), io.read("lines")), doing="listing items")
    _account(io, settings, raw, receipts, lines, rejects)


def extra(settings: Settings) -> Mapping[str, str]:
    """The key's fingerprint: another key makes other customer keys."""
    return {"key": privacy_key.prepare(settings.privacy)} if settings.clean.columns.get(c.CUSTOMER_ID) else {}


def _products(io: StageIO, settings: Settings, raw: DataFrame) -> DataFrame:
    clean = settings.clean
    if settings.input.products:
        rows = io.source("raw_products", mapping.wanted_products(clean))
        return products_of(rows, clean.product_columns, settings, sold=F.lit(None).cast("timestamp"))
    source = clean.columns.get(c.SOLD_AT)
    sold = mapping.sold_at(raw, source, settings.input) if source else F.lit(None).cast("timestamp")
    return products_of(raw, clean.columns, settings, sold=sold)


def _receipts(raw: DataFrame, products: DataFrame, settings: Settings) -> DataFrame:
    columns = settings.clean.columns
    customer = columns.get(c.CUSTOMER_ID)
    customer_id = source_column(customer) if customer else F.lit(None).cast("string")
    keyed = (
        with_customer_key(raw, customer_id, key_file=settings.privacy.key_file)
        if customer
        else raw.withColumn(c.CUSTOMER_KEY, F.lit(None).cast("string"))
    )
    tagged = typed(keyed, columns, settings.input).transform(
        with_reasons, products, has_times=bool(columns.get(c.SOLD_AT))
    )
    if columns.get(c.LINE_ID):
        tagged = tagged.transform(with_repeated_line_ids)
    return (
        tagged.transform(with_unit)
        .transform(with_repeated_rows)
        .transform(with_returns)
        .select(*_RECEIPT_COLUMNS)
    )


_RECEIPT_COLUMNS = (
    c.SOURCE, c.BASKET_ID, c.PRODUCT_ID, c.CUSTOMER_KEY, c.STORE_ID, c.SOLD_AT, c.QUANTITY, c.AMOUNT, c.REASONS, c.RAW,
)  # fmt: skip


def _account(
    io: StageIO, settings: Settings, raw: DataFrame, receipts: Written, lines: Written, rejects: Written
) -> None:
    """Check that no row was lost, and that enough of them are lines."""
    kept = int(lines.measures[c.SOURCE_ROWS] or 0)
    rows_in = io.rows_read("raw_lines") if receipts.rows else 0
    if kept + rejects.rows != rows_in or not rows_in:
        # The count of the first pass may be off (see `rows_read`): count again, alone, before crying wolf.
        recount = io.to_driver(
            raw.agg(F.count("*").alias("rows")), limit=1, what="counts", doing="counting source rows again"
        )
        rows_in = int(recount["rows"].iloc[0])
    if rows_in == 0:
        raise InputError(f"input.transactions = '{settings.input.transactions}' is empty: no rows in it.")
    if kept + rejects.rows != rows_in:
        raise AssertionError(
            f"{rows_in} rows came in, but {kept} went into lines and {rejects.rows} were rejected"
        )
    io.note(rows_in=rows_in, rows_kept=kept, rows_merged=kept - lines.rows, rows_rejected=rejects.rows)
    share = rejects.rows / rows_in
    if share > settings.clean.max_rejected_share:
        reasons = io.read("rejects").select(F.explode(c.REASONS).alias("reason"))
        counted = reasons.groupBy("reason").agg(F.count("*").alias("rows")).orderBy(F.desc("rows"), "reason")
        by_reason = io.to_driver(counted, limit=50, what="reasons", doing="counting rejects")
        worst = ", ".join(f"{reason} {rows:,}" for reason, rows in by_reason.itertuples(index=False))
        raise GateError(
            f"{share:.1%} of {rows_in:,} rows were rejected; clean.max_rejected_share allows"
            f" {settings.clean.max_rejected_share:.1%}. Nothing was published.\n  Rejected: {worst}"
        )
