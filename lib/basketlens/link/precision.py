"""What the scores of a tile are computed in, and a proven bound on how far off they are."""

from typing import Final, NamedTuple

from torch import Tensor

from basketlens.errors import InputError
from basketlens.link.candidates import HIDDEN
from basketlens.link.shard import Shard, halved, longest

LARGEST: Final = -HIDDEN / 1e6  # score that cannot be taken for a hidden one
PRECISE_FROM: Final = 64.0  # largest score whose float32 rounding leaves weights good to 1e-5
HALF_ERROR: Final = (
    1e-2  # scores that bfloat16 could miss by more are computed in float32: weights stay good to 1%
)

# Unit roundoffs; a bfloat16 product is summed in float32, and rounded to bfloat16 once.
_BF16: Final = 2.0**-8
_FP32: Final = 2.0**-24
_FP64: Final = 2.0**-53
_SMALLEST: Final = 2.0**-126  # products below may be flushed to 0
_SLACK: Final = 1.01  # the lengths are rounded themselves, and rounded vectors may be longer


class Operands(NamedTuple):
    """A score is a row of `queries` times a row of `keys`, plus the bias of the key."""

    queries: Tensor  # (n, d) with the scale in it: float32, float64 or bfloat16
    keys: Tensor  # (m, d) float32 or bfloat16
    error: float  # no score is further off
    reach: float  # no score, but a hidden one, is larger, nor lower than its negative


def operands(queries: Tensor, shard: Shard, *, scale: float) -> Operands:
    """Float32, or float64 where scores may be large; bfloat16 where the shard has it and the bound allows it.

    The bound: a dot product of d terms, its scaling, the bias and their sum round by less than (d + 8) units of
    what no score exceeds (Cauchy-Schwarz; Higham 2002, section 3.1); with bfloat16 vectors q', k' in addition
    |q.k - q'.k'| <= |q - q'| |k| + |q'| |k - k'|, and the rounding of the result.

    Raises:
        InputError: scores may leave the range of float32.
    """
    d = queries.shape[1]
    length = longest(queries)
    reach = scale * length * shard.longest + shard.steepest
    if not reach < LARGEST:
        raise InputError(
            f"Scores up to {reach:g} do not fit float32; at most {LARGEST:g} may be possible.\n"
            "  Next: lower link.scale, or the lengths and biases in `projections`"
        )
    if reach > PRECISE_FROM:
        return Operands(queries.double() * scale, shard.vectors, _SLACK * (d + 8) * _FP64 * reach, reach)
    scaled = queries * scale
    flushed = d * _SMALLEST * (1 + scale * length + shard.longest)
    error = _SLACK * ((d + 8) * _FP32 * reach + flushed)
    if shard.halves is not None:
        halves, residual = halved(scaled)
        lost = residual * shard.longest + scale * length * (shard.residual + _BF16 * shard.longest)
        if error + _SLACK * lost <= HALF_ERROR:
            return Operands(halves, shard.halves, error + _SLACK * lost, reach)
    return Operands(scaled, shard.vectors, error, reach)
