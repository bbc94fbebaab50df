"""`[finetune]` of the settings."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from basketlens.settings_base import Section

_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0, le=1000)]
_Steps = Annotated[int, Field(ge=1, le=1_000_000)]


class ScheduleSettings(Section):
    """How a training proceeds."""

    steps: _Steps
    rows: Annotated[int, Field(ge=1, le=65536)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    warmup: _Share
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    clip: _Positive


class HeadSettings(Section):
    """`[finetune.heads]`: the shape of the attention, and which keys a step sees."""

    width: Annotated[int, Field(ge=8, le=4096)]
    bias_width: Annotated[int, Field(ge=1, le=4096)]
    initial_scale: _Positive
    min_purchases: Annotated[int, Field(ge=1, le=1_000_000)]
    residual_dropout: _Share
    bias_dropout: _Share
    ridge: Annotated[float, Field(gt=0, le=1)]
    frequent_keys: Annotated[int, Field(ge=1, le=1_000_000)]
    sampled_keys: Annotated[float, Field(gt=0, le=1)]


class BasketScheduleSettings(ScheduleSettings):
    """`[finetune.baskets]`."""

    hidden_low: _Share
    hidden_high: _Share

    @model_validator(mode="after")
    def _in_order(self) -> "BasketScheduleSettings":
        if self.hidden_low > self.hidden_high:
            raise ValueError(f"hidden_low up to hidden_high = {self.hidden_high}; found {self.hidden_low}")
        return self


class AugmentSettings(Section):
    """`[finetune.augment]`: what training sees beside the data."""

    replace: _Share
    drop: _Share
    shuffle: _Share
    variants: Annotated[int, Field(ge=1, le=100)]
    share: _Share
    synonyms: dict[str, str]
    tail_baskets: Annotated[float, Field(ge=0, le=100)]
    tail_low: Annotated[int, Field(ge=1, le=1_000_000)]
    tail_high: Annotated[int, Field(ge=1, le=1_000_000)]
    tail_partners: Annotated[int, Field(ge=1, le=100)]
    tail_alike: Annotated[int, Field(ge=0, le=1000)]
    tail_prior: Annotated[float, Field(ge=0, le=1_000_000)]

    @model_validator(mode="after")
    def _in_order(self) -> "AugmentSettings":
        if self.tail_low > self.tail_high:
            raise ValueError(f"tail_low up to tail_high = {self.tail_high}; found {self.tail_low}")
        return self


class EncoderSettings(ScheduleSettings):
    """`[finetune.encoder]`: training through the encoder."""

    start: Literal["pretrained", "scratch"]
    heads_learning_rate: Annotated[float, Field(gt=0, le=1)]
    encoded_keys: Annotated[int, Field(ge=0, le=65536)]
    residual_dropout: _Share
    check_every: _Steps
    patience: Annotated[int, Field(ge=1, le=1000)]
    held_out: Annotated[float, Field(gt=0, lt=0.5)]
    held_out_rows: Annotated[int, Field(ge=100, le=1_000_000)]


class EvaluateSettings(Section):
    """`[finetune.evaluate]`: the table of what each method is worth."""

    enabled: bool
    seeds: Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], Field(min_length=1, max_length=20)]
    validation: Annotated[float, Field(gt=0, lt=0.5)]
    test: Annotated[float, Field(gt=0, lt=0.5)]
    new_items: Annotated[float, Field(ge=0, le=0.5)]
    max_queries: Annotated[int, Field(ge=100, le=1_000_000)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]


class ExportSettings(Section):
    """`[finetune.export]`: the model as a folder."""

    enabled: bool
    onnx: bool
    state_dict: bool


class MlflowSettings(Section):
    """`[finetune.mlflow]`: a record of the run."""

    uri: str
    experiment: Annotated[str, Field(min_length=1)]


class LabelSettings(Section):
    """`[finetune.labels]`: categories predicted from names."""

    enabled: bool
    max_rows: Annotated[int, Field(ge=100, le=10_000_000)]
    max_classes: Annotated[int, Field(ge=2, le=2000)]
    min_count: Annotated[int, Field(ge=2, le=1_000_000)]
    l2: Annotated[float, Field(ge=0, le=1000)]
    iterations: Annotated[int, Field(ge=1, le=1000)]
    trees: Annotated[int, Field(ge=1, le=500)]
    depth: Annotated[int, Field(ge=1, le=30)]
    min_leaf: Annotated[int, Field(ge=1, le=1_000_000)]
    folds: Annotated[int, Field(ge=2, le=5)]
    fill_probability: _Share
    suspect_probability: _Share


class FinetuneSettings(Section):
    """`[finetune]`: attention trained on what was bought together."""

    enabled: bool
    device: Literal["auto", "cpu", "cuda"]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    scope: Literal["heads", "encoder"]
    processes: Annotated[int, Field(ge=1, le=1024)]
    checkpoints: str
    checkpoint_every: _Steps
    max_baskets: Annotated[int, Field(ge=1000, le=100_000_000)]
    heads: HeadSettings
    pairs: ScheduleSettings
    baskets: BasketScheduleSettings
    augment: AugmentSettings
    encoder: EncoderSettings
    evaluate: EvaluateSettings
    export: ExportSettings
    labels: LabelSettings
    mlflow: MlflowSettings
