"""Arrow rows of a training task as items and baskets in memory."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from basketlens import columns as c
from basketlens.errors import InputError
from basketlens.finetune.fields import CUSTOMER, DAY, IS_BASKET, KEY_ID, NAME, VECTOR
from basketlens.shopping import Baskets, Items


def read_shopping(batches: Iterable[pa.RecordBatch]) -> tuple[Items, Baskets]:
    """Items by id, then baskets by day, as `shopping_rows.task_rows` sends them.

    Items of a basket that are not among the items are left out, and so are baskets without any.

    Raises:
        InputError: vectors of several widths or not finite, or there is no item or no basket.
    """
    items: list[pa.RecordBatch] = []
    ids: pa.Array | None = None
    held: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]] = []  # items per basket, codes
    customers: dict[str, int] = {}
    facts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]] = []
    for batch in batches:
        is_basket = batch[IS_BASKET]
        items.append(batch.filter(pc.invert(is_basket)).select([KEY_ID, NAME, VECTOR]))
        baskets = batch.filter(is_basket)
        if not len(baskets):
            continue
        if ids is None:
            ids = pa.concat_arrays([part[KEY_ID] for part in items])
        sizes, codes = _coded(baskets[c.ITEMS], ids)
        held.append((sizes, codes))
        numbers = [
            -1 if key is None else customers.setdefault(key, len(customers))
            for key in baskets[CUSTOMER].to_pylist()
        ]
        facts.append((np.array(numbers, np.int64), baskets[DAY].to_numpy().astype(np.int32)))
    if ids is None or not len(ids):
        raise InputError(
            "There is nothing to train on: no basket holds an item whose name is embedded.\n"
            "  Next: run clean and embed over a window with receipts, or set finetune.enabled=false"
        )
    vectors = _matrix(pa.concat_arrays([part[VECTOR] for part in items]))
    names = np.array(pa.concat_arrays([part[NAME] for part in items]).to_pylist(), dtype=object)
    return Items(np.array(ids.to_pylist(), dtype=object), vectors, names), _baskets(held, facts, n=len(ids))


def _coded(lists: pa.Array, ids: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Known items of each basket: how many, and their numbers, ascending within a basket."""
    codes = pc.fill_null(pc.index_in(lists.flatten().cast(ids.type), value_set=ids), -1).to_numpy()
    basket = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy())
    basket, codes = basket[codes >= 0], codes[codes >= 0]
    order = np.lexsort((codes, basket))
    return np.bincount(basket, minlength=len(lists)).astype(np.int64), codes[order].astype(np.int32)


def _matrix(lists: pa.Array) -> npt.NDArray[np.float32]:
    widths = pc.unique(lists.value_lengths())
    if len(widths) > 1:
        raise InputError(
            f"Embeddings are of several widths: {', '.join(map(str, sorted(widths.to_pylist())))}.\n"
            "  Wanted: all of one model\n  Next: run embed again with one model"
        )
    flat: npt.NDArray[np.float32] = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    vectors = flat.reshape(len(lists), -1)
    if not np.isfinite(vectors).all():
        raise InputError("An embedding holds a number that is not finite.\n  Next: run embed again")
    return vectors


def _baskets(held, facts, *, n: int) -> Baskets:  # type: ignore[no-untyped-def]  # as in read_shopping
    sizes, codes, customers, days = (
        np.concatenate(parts) for parts in (*zip(*held, strict=True), *zip(*facts, strict=True))
    )
    starts = np.concatenate([[0], np.cumsum(sizes)])
    matrix = sparse.csr_array((np.ones(len(codes), np.float32), codes, starts), shape=(len(sizes), n))
    is_filled = sizes > 0
    return Baskets(sparse.csr_array(matrix[is_filled]), customers[is_filled], days[is_filled])
