"""Arrow rows of queries and keys as arrays, proven finite."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from basketlens import columns as c
from basketlens.errors import InputError
from basketlens.link.fields import BLOCK, GROUP, IS_KEY, VALUE, VECTOR

# Codes of an item whose group is unknown: unequal to every group, and to each other.
UNKNOWN_QUERY: Final = -1
UNKNOWN_KEY: Final = -2


class Piece(NamedTuple):
    """Consecutive rows of one kind: queries or keys of one block."""

    block: int
    is_key: bool
    ids: pa.Array  # (rows,) string
    # VECTOR (rows, d) float32; where there are such, BIAS (rows,) float64, GROUP (rows,) int64, VALUE (rows, w) float32
    arrays: dict[str, npt.NDArray[np.generic]]


class Reader:
    """Turns batches into pieces; knows the groups that it has seen."""

    def __init__(self, table: str) -> None:
        """The vectors are of `table`, for messages."""
        self._table = table
        self._codes: dict[str, int] = {}
        self._last: tuple[int, bool, str] | None = None  # block, kind and item of the row before

    def pieces(self, batch: pa.RecordBatch) -> Iterator[Piece]:
        """The batch cut where the block changes or its keys begin.

        Raises:
            InputError: a vector or a bias holds a value that is not finite, or an item comes twice.
        """
        if not len(batch):
            return
        blocks = batch[BLOCK].to_numpy()
        is_key = batch[IS_KEY].to_numpy(zero_copy_only=False)
        cuts = np.flatnonzero((np.diff(blocks) != 0) | (is_key[1:] != is_key[:-1])) + 1
        starts = [0, *cuts.tolist()]
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            rows = batch.slice(start, end - start)
            # A copy: a column that is kept would keep the vectors of its batch alive.
            ids = rows[c.ITEM_ID].take(pa.array(np.arange(len(rows))))
            self._check_once(int(blocks[start]), bool(is_key[start]), ids)
            yield Piece(int(blocks[start]), bool(is_key[start]), ids, self._arrays(rows))

    def _check_once(self, block: int, is_key: bool, ids: pa.Array) -> None:
        """Rows of a block and kind stand in order of their ids, so that an item that comes twice is beside itself."""
        is_again = pc.equal(ids[1:], ids[:-1])
        at = pc.index(is_again, True).as_py()
        again = ids[at].as_py() if at >= 0 else None
        if self._last == (block, is_key, ids[0].as_py()):
            again = ids[0].as_py()
        self._last = (block, is_key, ids[-1].as_py())
        if again is not None:
            raise InputError(
                f"Table '{self._table}' has several vectors for item '{again}'.\n  Wanted: one row per item\n"
                f"  Next: make them again, or mend the table named by tables.read.{self._table}"
            )

    def _arrays(self, rows: pa.RecordBatch) -> dict[str, npt.NDArray[np.generic]]:
        ids = rows[c.ITEM_ID]
        found: dict[str, npt.NDArray[np.generic]] = {VECTOR: _matrix(rows[VECTOR])}
        _check_finite(found[VECTOR], ids, self._table)
        if c.BIAS in rows.schema.names:
            found[c.BIAS] = rows[c.BIAS].to_numpy(zero_copy_only=False)  # null becomes NaN
            _check_finite(found[c.BIAS][:, None], ids, self._table)
        if VALUE in rows.schema.names and rows[IS_KEY][0].as_py():
            found[VALUE] = _matrix(rows[VALUE])
            _check_finite(found[VALUE], ids, "embeddings")
        if GROUP in rows.schema.names:
            unknown = UNKNOWN_KEY if rows[IS_KEY][0].as_py() else UNKNOWN_QUERY
            found[GROUP] = self._coded(rows[GROUP], unknown)
        return found

    def _coded(self, groups: pa.Array, unknown: int) -> npt.NDArray[np.int64]:
        encoded = groups.dictionary_encode()
        codes = [self._codes.setdefault(name, len(self._codes)) for name in encoded.dictionary.to_pylist()]
        at = pc.fill_null(encoded.indices, len(codes)).to_numpy(zero_copy_only=False)
        found: npt.NDArray[np.int64] = np.array([*codes, unknown], dtype=np.int64)[at]
        return found


def _matrix(column: pa.Array) -> npt.NDArray[np.float32]:
    """Lists of one length as (rows, length); a null among the numbers becomes NaN."""
    numbers: npt.NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return numbers.reshape(len(column), -1)


def _check_finite(matrix: npt.NDArray[np.generic], ids: pa.Array, table: str) -> None:
    is_bad = ~np.isfinite(matrix).all(axis=1)
    if is_bad.any():
        raise InputError(
            f"Table '{table}' holds numbers that are not finite.\n"
            f"  First: those of item '{ids[int(is_bad.argmax())]}'\n"
            f"  Next: make them again, or mend the table named by tables.read.{table}"
        )
