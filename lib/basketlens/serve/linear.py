"""EASE on the driver, from the table of co-purchases to rows of weights."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from basketlens import columns as c
from basketlens.ease import WEIGHT_UNIT, solve_ease
from basketlens.errors import InputError
from basketlens.serve.fields import KEY_ID, WEIGHTS

_PIECE: Final = 1 << 25  # bytes of weights that go to Spark in one piece


def matrix_of(copurchases: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The symmetric Gram matrix (m, m), in baskets, from rows in order of their places.

    Raises:
        InputError: places are not 0, 1, 2, ...: a table of somebody else's, or of two runs.
    """
    m = len(copurchases)
    if not np.array_equal(copurchases[c.PLACE], np.arange(m)):
        raise InputError(
            f"Table 'copurchases' has {m:,} rows, whose places are not 0 to {m - 1:,}.\n"
            "  Next: run mine again, or mend the table named by tables.read.copurchases"
        )
    gram = np.zeros((m, m))
    for place, others, together in zip(range(m), copurchases[c.OTHERS], copurchases[c.TOGETHER], strict=True):
        at = np.asarray(others, np.int64)
        gram[place, at] = gram[at, place] = together
    gram /= WEIGHT_UNIT
    return gram


def weight_pieces(copurchases: pd.DataFrame, *, ridge: float) -> Iterator[pd.DataFrame]:
    """Rows of KEY_ID and WEIGHTS, in pieces that a plan of Spark's can hold.

    Args:
        copurchases: rows of the table; those of one item or none make no model and no piece.
        ridge: of EASE.
    """
    if len(copurchases) < 2:  # noqa: PLR2004 - one item has no other
        return
    rows = copurchases.sort_values(c.PLACE, ignore_index=True)
    weights = solve_ease(matrix_of(rows), ridge=ridge).astype("<f4", copy=False)
    step = max(1, _PIECE // weights[0].nbytes)
    for start in range(0, len(rows), step):
        piece = slice(start, start + step)
        yield pd.DataFrame(
            {KEY_ID: rows[c.ITEM_ID][piece].to_numpy(), WEIGHTS: [row.tobytes() for row in weights[piece]]}
        )
