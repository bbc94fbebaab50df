"""In which numbers a model computes, what that costs in exactness, and what the device could do."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

Probe = Callable[[Sequence[str]], npt.NDArray[np.float32]]

_PARITY: Final = 0.999  # cosine to fp32 below which `auto` computes in fp32
PROBES: Final = (
    "milk", "whole milk, dairy, 1 gal", "frozen pizza 12 in", "tide liquid laundry detergent original scent, 100 oz",
    "bananas, fresh fruit, produce", "Brot, Roggen, 500 g", "赤霞珠 干红葡萄酒 750ml", "حليب كامل الدسم",
)  # fmt: skip


class Arithmetic(NamedTuple):
    """What was chosen."""

    dtype: str  # fp32 or bf16
    parity: float  # smallest cosine between the probes' vectors in dtype and in fp32
    peak: float  # flop/s of a matrix product on this device, in dtype


def choose_arithmetic(probe: Probe, model: Any, *, wanted: str, device: str) -> Arithmetic:
    """Convert the model to what is wanted; `auto` is bf16 where the hardware has it, else fp32.

    Args:
        probe: names to vectors by the model, which is in fp32.
        model: weights are converted in place.
        wanted: `auto`, `fp32` or `bf16`.
        device: the model's.

    Raises:
        InputError: the model gives values that are not finite.
    """
    exact = probe(PROBES)
    if wanted == "bf16" or (wanted == "auto" and has_bf16(device)):
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        model.to(torch.bfloat16)
        parity = _least_cosine(exact, probe(PROBES))
        if wanted == "bf16" or parity >= _PARITY:
            return Arithmetic("bf16", parity, gemm_peak(torch.bfloat16, device))
        model.float().load_state_dict(before)  # rounding has lost what fp32 needs
    return Arithmetic("fp32", 1.0, gemm_peak(torch.float32, device))


def has_bf16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16 matrices; emulation is slower than float32."""
    if device != "cpu":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        capable = torch.cpu.get_capabilities()
    except AttributeError:  # torch before 2.10
        flags: Any = torch.cpu
        return bool(flags._is_avx512_bf16_supported() or flags._is_amx_tile_supported())
    return any(capable.get(flag) for flag in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def gemm_peak(dtype: torch.dtype, device: str) -> float:
    """Flop/s of the best of five products of (rows, 1024) and (1024, 1024)."""
    rows = 1024 if device == "cpu" else 32768
    a, b = (
        torch.ones(rows, 1024, dtype=dtype, device=device),
        torch.ones(1024, 1024, dtype=dtype, device=device),
    )
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        product = a @ b
        float(product[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2.0 * rows * 1024 * 1024 / best


def _least_cosine(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> float:
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    is_known = norms > 0  # a vocabulary may lack whole scripts
    return float(((x * y).sum(axis=1)[is_known] / norms[is_known]).min(initial=1.0))
