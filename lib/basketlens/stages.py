"""The pipeline on one screen: stage, function, tables read, tables written, settings it depends on."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from basketlens.clean import stage as clean
from basketlens.embed import stage as embed
from basketlens.finetune import stage as finetune
from basketlens.link import stage as link
from basketlens.mine import stage as mine
from basketlens.report import stage as report
from basketlens.serve import stage as serve
from basketlens.settings import Settings
from basketlens.stage_io import StageIO

RAW_LINES: Final = "raw_lines"  # input.transactions
RAW_RETURNS: Final = "raw_returns"  # input.returns
RAW_PRODUCTS: Final = "raw_products"  # input.products
EARLIER_RULES: Final = "earlier_rules"  # mine.compare_with; "" = those that are replaced: no input


class Stage(NamedTuple):
    """A function between named tables."""

    run: Callable[[StageIO, Settings], None]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    sections: tuple[str, ...]  # sections of the settings that its tables depend on
    may_write: tuple[str, ...] = ()  # by its settings; a run that does not write such a table removes it
    extra: Callable[[Settings], Mapping[str, str]] | None = (
        None  # what else they depend on, such as the model
    )


# fmt: off
STAGES: Final[Mapping[str, Stage]] = {
    #                          reads                                          writes                                     settings
    "clean":  Stage(clean.run,  ("raw_lines", "raw_returns", "raw_products"), ("lines", "rejects", "products", "items"), ("input", "clean", "privacy"), extra=clean.extra),
    "embed":  Stage(embed.run,  ("products",),                                ("embeddings",),                           ("embed",),                    extra=embed.extra),
    "finetune": Stage(finetune.run, ("lines", "products", "items", "embeddings"), (),                                    ("finetune",), ("projections", "basket_projections", "evaluation", "labels", "model"), extra=finetune.extra),
    "link":   Stage(link.run,   ("items", "products", "embeddings",
                                 "projections"),                              ("links", "link_stats"),                   ("link",), ("contexts",)),
    "mine":   Stage(mine.run,   ("lines", "products", "earlier_rules"),       ("itemsets", "rules", "rule_drift"),       ("mine",), ("copurchases",),   extra=mine.extra),
    "report": Stage(report.run, ("itemsets", "rules", "links", "link_stats",
                                 "items", "products", "embeddings",
                                 "projections", "lines", "rejects",
                                 "rule_drift", "evaluation"),                 ("associations",),                         ("report", "link")),
    "serve":  Stage(serve.run,  ("associations", "lines", "products", "items",
                                 "copurchases", "evaluation",
                                 "basket_projections", "open_baskets"),       ("cross_sell",),                           ("serve", "ease"), ("recommendations",), extra=serve.extra),
}
# fmt: on
