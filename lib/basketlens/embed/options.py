"""What a vector depends on beside the model's files."""

from typing import NamedTuple


class EncoderOptions(NamedTuple):
    """How names become vectors; part of the digest that vectors are kept under."""

    max_tokens: int = 128  # tokens of a name that are read; the rest is cut
    pooling: str = "auto"  # auto, mean, cls or last
    normalize: bool = True  # to an L2 norm of 1
    prompt: str = ""  # written before every name
    dtype: str = "auto"  # auto, fp32 or bf16
