"""Settings of `[finetune]` as the options of what is trained; on executors, for it imports torch."""

from collections.abc import Mapping
from pathlib import Path

from basketlens.evaluate.evaluation import EvaluateOptions
from basketlens.finetune.augmenting import AugmentOptions
from basketlens.finetune.basket_training import BasketOptions
from basketlens.finetune.encoder_training import EncoderOptions
from basketlens.finetune.heads import HeadOptions
from basketlens.finetune.loop import Schedule
from basketlens.finetune.name_variants import NameOptions, words_of
from basketlens.finetune.pair_training import PairOptions
from basketlens.finetune.sampling import KeyOptions
from basketlens.finetune.tail_baskets import TailOptions
from basketlens.finetune.training import TrainingOptions
from basketlens.settings import EmbedSettings
from basketlens.settings_finetune import (
    AugmentSettings,
    EncoderSettings,
    FinetuneSettings,
    ScheduleSettings,
)


def training_options(
    of: FinetuneSettings, embed: EmbedSettings, abbreviations: Mapping[str, str], *, ease_items: int
) -> TrainingOptions:
    """All options of a training task; `embed` is the encoder that may be trained and that reads further names.

    Args:
        of: `[finetune]`.
        embed: `[embed]`.
        abbreviations: further names are made with these.
        ease_items: `ease.max_items`.
    """
    heads = HeadOptions(
        of.heads.width, of.heads.bias_width, of.heads.initial_scale, of.heads.min_purchases,
        of.heads.residual_dropout,
        of.heads.bias_dropout, of.heads.ridge,
    )  # fmt: skip
    keys = KeyOptions(of.heads.frequent_keys, of.heads.sampled_keys)
    pairs = PairOptions(heads, keys, _schedule(of.pairs), held_out_rows=0)
    through_encoder = of.scope == "encoder"
    followed = {"heads", "pairs", "baskets", "augment", *(["encoder"] if through_encoder else [])}
    return TrainingOptions(
        pairs,
        BasketOptions(
            heads, keys, _schedule(of.baskets), of.baskets.hidden_low, of.baskets.hidden_high, held_out_rows=0
        ),
        _augment(of.augment, abbreviations),
        _encoder(of.encoder, pairs) if through_encoder else None,
        embed,
        EvaluateOptions(of.evaluate.new_items, of.evaluate.max_queries, of.evaluate.resamples, ease_items),
        of.evaluate.validation,
        of.evaluate.test,
        Path(of.checkpoints) if of.checkpoints else None,
        of.checkpoint_every,
        {name: str(value) for name, value in of.model_dump(include=followed).items()},
        keeps_baskets=of.evaluate.enabled,  # without figures nothing says that they should be used
    )


def _augment(of: AugmentSettings, abbreviations: Mapping[str, str]) -> AugmentOptions:
    return AugmentOptions(
        NameOptions(of.variants, of.replace, of.drop, of.shuffle, words_of(abbreviations, of.synonyms)),
        of.share,
        TailOptions(
            of.tail_baskets, of.tail_low, of.tail_high, of.tail_partners, of.tail_alike, of.tail_prior
        ),
    )


def _encoder(of: EncoderSettings, pairs: PairOptions) -> EncoderOptions:
    schedule = Schedule(
        of.steps, of.rows, of.heads_learning_rate, of.warmup, of.weight_decay, of.clip, of.check_every, of.patience
    )  # fmt: skip
    return EncoderOptions(
        of.start, pairs._replace(held_out_rows=of.held_out_rows), schedule, of.learning_rate, of.encoded_keys,
        of.residual_dropout, of.held_out,
    )  # fmt: skip


def _schedule(of: ScheduleSettings) -> Schedule:
    return Schedule(
        of.steps, of.rows, of.learning_rate, of.warmup, of.weight_decay, of.clip,
        check_every=of.steps, patience=1,
    )  # fmt: skip
