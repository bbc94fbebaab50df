"""One way to augment of `bench augment`, in a process of its own; not in its main module, where others find no function."""

from collections.abc import Mapping

import torch

from basketlens.evaluate import models as m
from basketlens.evaluate.known import known_from
from basketlens.evaluate.measures import Sums, sums_of
from basketlens.evaluate.ranking import best_of_each, rank
from basketlens.evaluate.split import Cuts, item_classes, split_by_days
from basketlens.evaluate.tasks import BASKETS, PAIRS, basket_completion, partner_search
from basketlens.finetune.augmenting import augmented
from basketlens.finetune.basket_training import train_baskets
from basketlens.finetune.encoding import NameEncoder
from basketlens.finetune.heads import projections
from basketlens.finetune.options import training_options
from basketlens.finetune.pair_training import train_pairs
from basketlens.settings import Settings
from tests.bench._quality_seed import shop_of

Figures = Mapping[tuple[str, str], Sums]  # (task.part, method)


def figures_of(
    root: str, seed: int, days: tuple[int, int], settings: Settings, *, with_baskets: bool
) -> Figures:
    """Train on one split; sums over its queries of the methods that attention takes part in, chosen on validation."""
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    items, baskets = shop_of(root)
    cuts = Cuts.before_end(baskets.days, validation_days=days[0], test_days=days[1])
    options = training_options(
        settings.finetune, settings.embed, settings.clean.abbreviations, ease_items=settings.ease.max_items
    )
    split = split_by_days(baskets, cuts, new_share=options.evaluate.new_share, seed=seed)
    known = known_from(items, split)
    more = augmented(
        items, split.train.held, known.counts, known.purchases, options.augment,
        lambda: NameEncoder.load(settings.embed), seed=seed,
    )  # fmt: skip
    of_pairs = train_pairs(
        items.vectors,
        more.counts,
        known.purchases,
        options.pairs,
        seed=seed,
        device="cpu",
        further=more.further,
    )
    fitted = m.Fitted(*[projections(of_pairs, items.vectors)] * 2)
    if with_baskets:
        of_baskets = train_baskets(
            items.vectors, more.held, known.purchases, options.baskets,
            seed=seed, device="cpu", further=more.further,
        )  # fmt: skip
        fitted = fitted._replace(baskets=projections(of_baskets, items.vectors))
    models = m.Models(known, fitted, {}, {})
    found: dict[tuple[str, str], Sums] = {}
    most = options.evaluate.max_queries
    for name in (PAIRS, BASKETS) if with_baskets else (PAIRS,):
        parts = {"validation": split.validation, "test": split.test}
        tasks = {
            part: basket_completion(
                of, split.train, item_classes(split), part=part, max_queries=most, seed=seed
            )
            if name == BASKETS
            else partner_search(of, item_classes(split), part=part, max_queries=most, seed=seed)
            for part, of in parts.items()
        }
        candidates = list(m.with_attention(models, name) if name == PAIRS else m.alone(models))
        best = best_of_each(tasks["validation"], candidates, known.is_cold)
        tested = rank(tasks["test"], [candidate for candidate, _ in best.values()], known.is_cold)
        for (method, (_, ranked)), test in zip(best.items(), tested, strict=True):
            found[f"{name}.validation", method] = sums_of(tasks["validation"], ranked)
            found[f"{name}.test", method] = sums_of(tasks["test"], test)
    return found
