"""The report for people: one self-contained HTML page, rendered from plain values without Spark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from basketlens.report import plot
from basketlens.report.worth import Worth

UNKNOWN: Final = "\N{EN DASH}"  # shown for None
KINDS: Final = ("complement", "basket_only", "substitute", "text_only")
_PLOT = {"width": 720, "height": 440, "left": 62, "right": 704, "top": 16, "bottom": 384}  # pixels


@dataclass(frozen=True)
class Finding:
    """One association; None is what is not known (see `evidence.associate`)."""

    item: str
    neighbor: str
    n_ab: int | None
    n_a: int | None
    n_b: int | None
    n: int | None
    confidence: float | None  # 0..1
    lift: float | None
    score: float | None  # logit
    multiple: float | None  # attention as a multiple of an even share; 1 = the names say nothing
    strength: float  # 0..1
    kind: str


@dataclass(frozen=True)
class Rule:
    """One rule, with names for ids; None is what is not known."""

    antecedent: tuple[str, ...]
    consequent: tuple[str, ...]
    n_ab: int
    n_a: int
    confidence: float  # 0..1
    lift: float
    lift_low: float | None
    lift_high: float | None
    log10_q: float | None
    customers: int | None
    holdout_lift: float | None
    extra_revenue: float | None  # currency of the receipts


@dataclass(frozen=True)
class RuleCounts:
    """Rules of the page's level."""

    rules: int
    redundant: int  # say no more than a shorter one
    uncertain: int  # of the others: q too high
    held_out: int  # were measured again on held-out baskets
    born: int  # against an earlier table of rules, this and the next three; all 0 when none was compared
    died: int
    moved: int
    stable: int


@dataclass(frozen=True)
class Reason:
    """Rejected rows that have one reason."""

    name: str
    rows: int


@dataclass(frozen=True)
class Figures:
    """Counts of the run; None is what is not known."""

    lines: int
    kept_rows: int  # source rows merged into the lines
    lines_with_customer: int
    first_sale: datetime | None  # UTC
    last_sale: datetime | None
    rejected: int | None  # source rows; None when the lines are a user's own
    products: int
    products_without_category: int
    items: int
    items_sold: int
    baskets: int | None
    itemsets: int
    largest_itemset: int | None
    rules: int
    links: int
    linked_items: int

    @property
    def source_rows(self) -> int:
        """Rows that the clean stage read."""
        return self.kept_rows + (self.rejected or 0)


@dataclass(frozen=True)
class PageData:
    """Everything on the page."""

    run_id: str
    created_at: datetime  # UTC
    level: str
    prior: float  # baskets that the attention counts for
    discount: float
    figures: Figures
    reasons: tuple[Reason, ...]
    top: tuple[Finding, ...]
    substitutes: tuple[Finding, ...]
    newcomers: tuple[Finding, ...]
    plotted: tuple[Finding, ...]
    rules: tuple[Rule, ...]
    rule_counts: RuleCounts
    large_baskets: str | None = None  # one sentence; None when no basket was too large
    worth: tuple[Worth, ...] = ()  # of methods on this data; empty where nothing was measured
    is_trained: bool = False  # attention is trained, not the model's own


def render(page: PageData) -> str:
    """The page as HTML: styles, script and plot inside, nothing fetched from elsewhere, every value escaped."""
    kinds = [kind for kind in KINDS if any(finding.kind == kind for finding in page.top)]
    return _template().render(
        page=page, figures=page.figures, kinds=kinds, example=example(page.top), scatter=scatter(page.plotted)
    )


def example(findings: Sequence[Finding]) -> Finding | None:
    """The pair that explains how to read the others: in most baskets, where counts and names agree if there is one."""
    counted = [finding for finding in findings if finding.n_ab is not None]
    agreeing = [finding for finding in counted if finding.kind == KINDS[0] and finding.multiple is not None]
    return max(agreeing or counted, key=lambda finding: finding.n_ab or 0, default=None)


def scatter(findings: Sequence[Finding]) -> dict[str, Any] | None:
    """Axes and points of names' evidence (across) against baskets' evidence (up); None when no pair has both."""
    pairs = [(f.multiple, f.lift, f) for f in findings if f.multiple and f.lift]
    if not pairs:
        return None
    across = plot.axis([x for x, _, _ in pairs], start=_PLOT["left"], end=_PLOT["right"], include=1.0)
    up = plot.axis(
        [y for _, y, _ in pairs], start=_PLOT["bottom"], end=_PLOT["top"], include=1.0, is_log=True
    )
    points = [{"x": across.place(x), "y": up.place(y), "finding": f} for x, y, f in pairs]
    counts = {kind: sum(f.kind == kind for _, _, f in pairs) for kind in KINDS}
    return {
        **_PLOT,
        "across": across,
        "up": up,
        "even": across.place(1.0),
        "chance": up.place(1.0),
        "points": sorted(points, key=lambda p: -counts[p["finding"].kind]),  # rare kinds lie on top
        "counts": {kind: count for kind, count in counts.items() if count},
    }


def thousands(value: float | None) -> str:
    """1234567 -> 1,234,567."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share of 0..1 as people read it: 26%, 2.6%, 0.05%; never 0% for something, nor 100% for less than all."""
    if share is None:
        return UNKNOWN
    value = share * 100
    if 99.5 <= value < 100:  # noqa: PLR2004 - would round to all
        return f"{min(value, 99.99):.2f}%"
    if value == 0 or value >= 10:  # noqa: PLR2004 - two digits say enough
        return f"{value:.0f}%"
    return f"{value:.1f}%" if value >= 1 else "<0.01%" if value < 0.01 else f"{value:.2f}%"  # noqa: PLR2004


def times(value: float | None, digits: int = 1) -> str:
    """A factor: 5.1, 0.04, 1,234; more digits below 1, none above 100."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits if value >= 1 else max(digits, 2)}f}"  # noqa: PLR2004


def tiny(log10: float | None) -> str:
    """A probability from its logarithm: 0.012, 1e-12, <1e-300."""
    if log10 is None:
        return UNKNOWN
    if log10 < -300:  # noqa: PLR2004 - near the end of what a double holds
        return "<1e-300"
    if log10 >= -3:  # noqa: PLR2004 - three digits say enough
        return f"{10**log10:.3f}"
    digit, _, power = f"{10**log10:.0e}".partition("e")
    return f"{digit}e{int(power)}"


def money(amount: float | None) -> str:
    """1,234 or 5.60, in whatever currency; below 0 with a minus sign."""
    if amount is None:
        return UNKNOWN
    return f"{amount:,.{0 if abs(amount) >= 100 else 2}f}".replace("-", "\N{MINUS SIGN}")  # noqa: PLR2004


def share(part: float | None, whole: float | None) -> float | None:
    """The quotient, or None when either is unknown or the whole is empty."""
    return part / whole if part is not None and whole else None


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("basketlens.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(thousands=thousands, percent=percent, times=times, tiny=tiny, money=money)
    environment.globals.update(share=share)
    return environment.get_template("page.html")
