"""`report`: counts and names meet in `associations`, and one page shows what they say."""

from datetime import UTC, datetime
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.evaluate.rows import Row
from basketlens.evaluate.tasks import PAIRS
from basketlens.evaluate.winners import Strength, strength_of, winners
from basketlens.masks import MASKS
from basketlens.measured import read_figures
from basketlens.report import evidence, figures, findings, rules
from basketlens.report.page import Figures, Finding, PageData, Rule, RuleCounts, render
from basketlens.report.worth import Worth, worth_of
from basketlens.settings import Settings
from basketlens.stage_io import StageIO

_PLOTTED: Final = 2000  # points; more are slow to draw and hide each other
_SHORT: Final = 15  # rows of the page's short tables
_NOTED: Final = 10  # associations in the run's summary
_COUNTED: Final = ("lines", "products", "items", "itemsets", "rules", "links", "link_stats")
_LARGEST_PRIOR: Final = 1e9  # baskets; attention alone is an endless one
_REASONS: Final = 100  # distinct reject reasons; the clean stage knows about a dozen


def run(io: StageIO, settings: Settings) -> None:
    """Write `associations` and the page."""
    measured = _measured(io, settings)
    won = winners(measured) if measured else {}
    order = (
        strength_of(won[PAIRS])
        if won
        else Strength(settings.report.prior_baskets, settings.report.popularity_discount)
    )
    order = order._replace(prior=min(order.prior, _LARGEST_PRIOR))
    _write_associations(io, settings, order)
    page = _page_data(io, settings, order, worth_of(measured, won))
    path = io.write_page(render(page))
    io.note(
        prior_baskets=order.prior,
        popularity_discount=order.discount,
        rows_in=page.figures.itemsets + page.figures.links,
        top_associations=[_noted(finding) for finding in page.top[:_NOTED]],
        report=path,
    )


def _measured(io: StageIO, settings: Settings) -> list[Row]:
    """What was measured on this data, where something was: evidence is then weighed as won there, else by the settings."""
    read = settings.tables.read
    is_ours = "projections" not in read and io.has("projections") and io.has("evaluation")
    if "evaluation" not in read and not is_ours:
        return []
    return read_figures(io)


def _write_associations(io: StageIO, settings: Settings, order: Strength) -> None:
    level, embeddings = settings.report.level, io.read("embeddings")
    vectors = (
        io.read("projections")
        if _is_trained(io, settings)
        else evidence.vectors_of(io.read("products"), embeddings, level=level)
    )
    associations = evidence.associate(
        io.read("itemsets"),
        io.read("links"),
        io.read("link_stats"),
        io.read("items"),
        vectors,
        level=level,
        scale=settings.link.scale_for(_width(io, embeddings)),
        mask=MASKS[settings.link.mask],
        prior=order.prior,
        discount=order.discount,
    )
    io.write("associations", associations, doing="joining counts and names")


def _is_trained(io: StageIO, settings: Settings) -> bool:
    return "projections" in settings.tables.read or io.has("projections")


def _width(io: StageIO, embeddings: DataFrame) -> int:
    """Numbers of an embedding; 1 when there are none and nothing will be scaled."""
    size = embeddings.agg(F.max(F.size(c.EMBEDDING)).alias("width"))
    frame = io.to_driver(size, limit=1, what="embedding widths", doing="reading the model's width")
    return findings.whole(frame["width"].iloc[0]) or 1


def _page_data(io: StageIO, settings: Settings, order: Strength, worth: tuple[Worth, ...]) -> PageData:
    discount, associations = order.discount, io.read("associations")
    counts = _figures(io, settings)
    even = 1 / (counts.linked_items - 1) if counts.linked_items > 1 else None

    def fetch(rows: DataFrame, limit: int, what: str) -> tuple[Finding, ...]:
        frame = io.to_driver(rows, limit=limit, what=what, doing=f"choosing {what}")
        return findings.as_findings(frame, even=even)

    top, short = settings.report.top, _SHORT
    pairs = findings.one_direction(findings.counted(associations), discount=discount)
    rare = findings.newcomers(associations, discount=discount, rows=short)
    rejects = _rejects(io, settings)
    reasons = figures.as_reasons(
        io.to_driver(figures.rejects_per_reason(rejects), limit=_REASONS, what="reasons", doing="counting rejects")
    ) if rejects is not None else ()  # fmt: skip
    best, rule_counts = _rules(io, settings)
    return PageData(
        run_id=io.run_id,
        created_at=datetime.now(UTC),
        level=settings.report.level,
        prior=order.prior,
        discount=discount,
        figures=counts,
        reasons=reasons,
        top=fetch(findings.top(pairs, discount=discount, rows=top), top, "associations"),
        substitutes=fetch(findings.substitutes(pairs, rows=short), short, "substitutes"),
        newcomers=fetch(rare, short, "newcomers"),
        plotted=fetch(findings.plotted(pairs, rows=_PLOTTED), _PLOTTED, "pairs for the plot"),
        rules=best,
        rule_counts=rule_counts,
        large_baskets=_large_baskets(io),
        worth=worth,
        is_trained=_is_trained(io, settings),
    )


def _rules(io: StageIO, settings: Settings) -> tuple[tuple[Rule, ...], RuleCounts]:
    level, found, read = settings.report.level, io.read("rules"), settings.tables.read
    # A user's own rules come without drift, and an earlier run's is not theirs.
    has_drift = "rule_drift" in read or ("rules" not in read and io.has("rule_drift"))
    drift = io.read("rule_drift") if has_drift else None
    best = rules.with_names(rules.best(found, level=level, rows=_SHORT), io.read("items"), level=level)
    frame = io.to_driver(best, limit=_SHORT, what="rules to show", doing="choosing rules")
    row = rules.counts(found, drift, level=level)
    return rules.as_rules(frame), rules.as_counts(
        io.to_driver(row, limit=1, what="rows of figures", doing="counting rules")
    )


def _figures(io: StageIO, settings: Settings) -> Figures:
    row = figures.headline(
        rejects=_rejects(io, settings),
        **{name: io.read(name) for name in _COUNTED},
        level=settings.report.level,
    )
    return figures.as_figures(io.to_driver(row, limit=1, what="rows of figures", doing="counting rows"))


def _large_baskets(io: StageIO) -> str | None:
    if not io.has("data_quality"):
        return None
    said = figures.about_large_baskets(io.read("data_quality"))
    frame = io.to_driver(said, limit=1, what="remarks on baskets", doing="reading figures of baskets")
    return next((str(text) for text in frame[c.DETAIL] if text), None)


def _rejects(io: StageIO, settings: Settings) -> DataFrame | None:
    """Rejects that belong to the lines: a user's own lines come without, and an earlier run's are not theirs."""
    read = settings.tables.read
    is_ours = "lines" not in read and io.has("rejects")
    return io.read("rejects") if "rejects" in read or is_ours else None


def _noted(finding: Finding) -> list[str | int | float | None]:
    """item_name, neighbor_name, n_ab, confidence, lift, strength: rounded for reading."""
    shares = (finding.confidence, finding.lift, finding.strength)
    return [
        finding.item,
        finding.neighbor,
        finding.n_ab,
        *(None if v is None else round(v, 4) for v in shares),
    ]
