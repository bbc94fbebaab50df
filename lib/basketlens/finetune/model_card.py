"""The page for people that goes with a model: what it saw, how good it was, what it cannot do."""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple


class Measured(NamedTuple):
    """One figure on receipts that training did not see."""

    method: str
    task: str
    metric: str
    value: float
    low: float | None  # of its interval
    high: float | None


class Training(NamedTuple):
    """What the model was made from."""

    encoder: str  # as `embed.model` names it, and whether it was trained
    since: dt.date  # first day of receipts
    until: dt.date  # the day after the last
    baskets: int
    items: int
    known_items: int  # bought often enough to have a residual
    measured: Sequence[Measured]


_LIMITS: Final = """\
- It learned one retailer's receipts of the days above. For another shop, or much later, train again.
- Scores order items for one item. A probability is the softmax of scores over the whole catalogue, so it changes
  with the catalogue.
- A name alone says little about sales: expect far less for items without sales than the figures above, which
  are of all items.
- It says what is bought together, not why, and nothing about what a change of price or place would do.
- Names of receipts went in, no customer's data: no customer key, card or date is in these files.
"""


def model_card(training: Training, notes: Sequence[str]) -> str:
    """Markdown, of which nothing that came from data or settings can become markup.

    Args:
        training: what the model was made from.
        notes: sentences of ours on the files.
    """
    rows = [
        f"| {_plain(m.method)} | {_plain(m.task)} | {_plain(m.metric)} | {m.value:.4f} | {_interval(m)} |"
        for m in training.measured
    ]
    table = ["| method | task | metric | value | 95% interval |", "|---|---|---|---|---|", *rows]
    return "\n".join(
        [
            "# Product names to co-purchase",
            "",
            f"- Encoder: {_plain(training.encoder)}",
            f"- Receipts: {training.since} to {training.until - dt.timedelta(days=1)}, {training.baskets:,} baskets",
            f"- Items: {training.items:,}, of them {training.known_items:,} with a residual of their own",
            *(f"- {note}" for note in notes),
            "",
            "## Measured on later receipts",
            "",
            *(table if rows else ["Nothing was measured."]),
            "",
            "## Limits",
            "",
            _LIMITS,
        ]
    )


def _interval(m: Measured) -> str:
    return "" if m.low is None or m.high is None else f"{m.low:.4f} to {m.high:.4f}"


def _plain(text: str) -> str:
    """On one line, with every character escaped that Markdown or HTML would act on."""
    escaped = "".join(f"\\{x}" if x in r"\`*_{}[]<>()#+!|&~$" else x for x in text)
    return " ".join(escaped.split())
