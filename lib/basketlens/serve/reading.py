"""Arrow rows of a task of recommendations as a model and baskets in memory."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from basketlens import columns as c
from basketlens.ease import Ease
from basketlens.errors import InputError
from basketlens.serve.fields import (
    BASKET,
    BOUGHT,
    ITEM,
    KEY_ID,
    NAME,
    ONE,
    OTHER_BASKETS,
    OTHER_RECENT,
    RECENT,
    ROW_KIND,
    TIMES,
    WEIGHT,
    WEIGHTS,
)  # fmt: skip
from basketlens.shopping import Projections


class Model(NamedTuple):
    """n candidates and what is known of them; a candidate's number is its place."""

    ids: pa.Array  # (n,) string, ascending
    names: list[str]  # (n,)
    projections: Projections | None  # None: attention takes no part
    has_vectors: npt.NDArray[np.bool_]  # (n,), in `projections`
    ease: Ease | None  # None: EASE takes no part


class Asked(NamedTuple):
    """b baskets over n candidates."""

    visible: sparse.csr_array  # (b, n) float32, 1 = the basket holds the item
    times: sparse.csr_array  # (b, n) int32, the customer's other baskets with the item
    recent: sparse.csr_array  # (b, n) float64, the same, older ones counting less
    baskets: npt.NDArray[np.int64]  # (b,) the customer's other baskets
    recent_baskets: npt.NDArray[np.float64]  # (b,) the same, older ones counting less


def models_and_baskets(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Model, pa.RecordBatch]]:
    """The task's model, once, with each batch of its baskets; nothing where the task has none.

    Raises:
        InputError: vectors of several widths, or numbers that are not finite.
    """
    kept: dict[int, list[pa.RecordBatch]] = {ITEM: [], WEIGHT: []}
    model: Model | None = None
    for batch in batches:
        kind = batch[ROW_KIND]
        if model is None:
            columns = {ITEM: [KEY_ID, NAME, c.QUERY, c.KEY, c.BIAS], WEIGHT: [KEY_ID, WEIGHTS]}
            for of, names in columns.items():
                kept[of].append(batch.filter(pc.equal(kind, of)).select(names))
        baskets = batch.filter(pc.equal(kind, BASKET))
        if len(baskets):
            if model is None:
                model = _model(kept[ITEM], kept[WEIGHT])
                kept.clear()
            yield model, baskets


def asked_of(baskets: pa.RecordBatch, model: Model) -> Asked:
    """Baskets as matrices; items that are no candidates are left out."""
    ones = pa.array(np.ones(len(baskets[c.ITEMS].flatten()), np.float32))
    return Asked(
        _matrix(baskets[c.ITEMS], ones, model),
        _matrix(baskets[BOUGHT], baskets[TIMES].flatten(), model),
        _matrix(baskets[BOUGHT], pc.divide(baskets[RECENT].flatten().cast(pa.float64()), float(ONE)), model),
        baskets[OTHER_BASKETS].to_numpy().astype(np.int64),
        baskets[OTHER_RECENT].to_numpy() / ONE,
    )


def _matrix(lists: pa.Array, values: pa.Array, model: Model) -> sparse.csr_array:
    """Lists of ids with a value each as a sparse matrix (b, n), columns ascending."""
    codes = pc.fill_null(pc.index_in(lists.flatten().cast(pa.string()), value_set=model.ids), -1).to_numpy()
    rows = np.repeat(np.arange(len(lists)), pc.fill_null(lists.value_lengths(), 0).to_numpy())
    is_known = codes >= 0
    found = sparse.csr_array(
        (values.to_numpy()[is_known], (rows[is_known], codes[is_known])), shape=(len(lists), len(model.ids))
    )
    found.sort_indices()
    return found


def _model(items: list[pa.RecordBatch], weights: list[pa.RecordBatch]) -> Model:
    rows = pa.Table.from_batches(items).combine_chunks()
    ids = _whole(rows, KEY_ID)
    queries, keys = _whole(rows, c.QUERY), _whole(rows, c.KEY)
    has_vectors = queries.is_valid().to_numpy(zero_copy_only=False)
    projections = (
        _projections(queries, keys, _whole(rows, c.BIAS), has_vectors) if has_vectors.any() else None
    )
    return Model(ids, _whole(rows, NAME).to_pylist(), projections, has_vectors, _ease(weights, ids))


def _projections(
    queries: pa.Array, keys: pa.Array, bias: pa.Array, has_vectors: npt.NDArray[np.bool_]
) -> Projections:
    """Of all candidates; one without vectors is never attended to."""
    biases = np.full(len(queries), -np.inf)
    biases[has_vectors] = bias.to_numpy(zero_copy_only=False)[has_vectors]
    found = Projections(_vectors(queries, has_vectors), _vectors(keys, has_vectors), biases)
    if not all(np.isfinite(numbers[has_vectors]).all() for numbers in found):
        raise InputError(
            "Table 'basket_projections' holds numbers that are not finite.\n"
            "  Next: run finetune again, or mend the table named by tables.read.basket_projections"
        )
    return found


def _vectors(lists: pa.Array, has_vectors: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    widths = pc.unique(lists.value_lengths().drop_null()).to_pylist()
    if len(widths) != 1:
        raise InputError(
            f"Vectors of table 'basket_projections' are of several widths: {', '.join(map(str, sorted(widths)))}.\n"
            "  Wanted: all of one model\n  Next: run finetune again"
        )
    found = np.zeros((len(lists), widths[0]), np.float32)
    found[has_vectors] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, widths[0])
    return found


def _ease(weights: list[pa.RecordBatch], ids: pa.Array) -> Ease | None:
    """EASE by numbers of candidates; items of it that are none any more are left out."""
    rows = pa.Table.from_batches(weights).combine_chunks()
    if not len(rows):
        return None
    m = len(rows)
    matrix = np.empty((m, m), np.float32)
    for row, cell in zip(matrix, _whole(rows, WEIGHTS), strict=True):
        row[:] = np.frombuffer(cell.as_buffer(), "<f4")
    numbers = pc.fill_null(pc.index_in(_whole(rows, KEY_ID), value_set=ids), -1).to_numpy().astype(np.int64)
    is_candidate = numbers >= 0
    if not is_candidate.all():
        matrix = matrix[np.ix_(is_candidate, is_candidate)]
    return Ease(numbers[is_candidate], matrix)


def _whole(rows: pa.Table, name: str) -> pa.Array:
    """A column in one piece."""
    column = rows.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
