"""One task of `link`: a block of queries, over which the keys stream in Arrow batches.

Neither torch's nor Spark's side knows the other: this file turns Arrow columns into tensors and back.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from basketlens import columns as c
from basketlens.link.attention import attend
from basketlens.link.fields import (
    ATTENTIONS,
    DEVICE,
    GROUP,
    NEIGHBOR_IDS,
    SCORE_ERROR,
    SCORES,
    VALUE,
    VECTOR,
    Task,
)
from basketlens.link.rows import Piece, Reader
from basketlens.link.shard import Shard
from basketlens.link.softmax import Attention, Partial, finish, nothing_seen
from basketlens.link.tiles import PAGE_LINKS


def attention_pages(
    batches: Iterator[pa.RecordBatch], task: Task, *, device: str = "cpu"
) -> Iterator[pa.RecordBatch]:
    """Attention of every query in a stream of rows: each block's queries, then all keys of the catalogue.

    Args:
        batches: block, is_key, item_id, vector, a bias where keys have one, and a group where there is a mask; in one
            order of items for every block.  Keys of equal score rank in this order.
        task: what to do with them.
        device: of torch, that holds keys and queries.

    Yields:
        item_id, log_sum_exp, top_mass, entropy, neighbor_ids, scores, attentions, context, score_error, device: a row per query.
        log_sum_exp is null for an item that has no key, and context also when none are wanted.

    Raises:
        InputError: a vector or a bias is not finite, or scores would leave the range of float32.
    """
    # TensorFloat-32 and sums in bfloat16 are faster, and worse than what the error bounds say.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    block: _Block | None = None
    reader = Reader(task.table)
    for batch in batches:
        for piece in reader.pieces(batch):
            if block is None or block.number != piece.block:
                yield from block.pages() if block else ()
                block = _Block(piece.block, task, torch.device(device))
            block.add(piece)
    yield from block.pages() if block else ()


class _Block:
    """Queries of one block, and what they know of the keys that have passed."""

    def __init__(self, number: int, task: Task, device: torch.device) -> None:
        self.number, self._task, self._device = number, task, device
        self._query_pieces: list[Piece] = []
        self._held = _Held(task.key_shard)  # keys not attended to yet
        self._key_ids: list[pa.Array] = []  # of all keys that have passed
        self._passed = 0
        self._query_ids: pa.Array = pa.array([], pa.string())
        self._queries: torch.Tensor | None = None
        self._groups: torch.Tensor | None = None
        self._seen: Partial | None = None

    def add(self, piece: Piece) -> None:
        if not piece.is_key:
            self._query_pieces.append(piece)
            return
        start = 0
        while start < len(piece.ids):
            start += self._held.take(piece, start)
            if self._held.is_full:
                self._attend_to_held()

    def pages(self) -> Iterator[pa.RecordBatch]:
        """What is known of the queries once all keys have passed."""
        self._attend_to_held()
        if self._seen is None:
            return
        key_ids = pa.chunked_array(self._key_ids, pa.string())
        page = max(1, PAGE_LINKS // self._task.top)
        for i in range(0, len(self._query_ids), page):
            seen = Partial(*(part[i : i + page].cpu() for part in self._seen))
            yield _page(self._query_ids[i : i + page], key_ids, seen, finish(seen), self._device)

    def _attend_to_held(self) -> None:
        if self._query_pieces:
            self._take_queries()
        if self._queries is not None and self._seen is not None and self._held.count:
            ids = self._held.ids()
            at = pc.fill_null(pc.index_in(self._query_ids, value_set=ids), -1)
            attend(
                self._seen,
                self._queries,
                self._held.shard(self._passed, self._task, self._device),
                self._tensor(at.to_numpy(zero_copy_only=False).astype(np.int64)),
                scale=self._task.scale,
                groups=self._groups,
                within=self._task.within,
            )
            self._key_ids.append(ids)
            self._passed += len(ids)
        self._held.clear()

    def _take_queries(self) -> None:
        pieces, self._query_pieces = self._query_pieces, []
        self._query_ids = pa.concat_arrays([piece.ids for piece in pieces])
        self._queries = self._tensor(np.concatenate([piece.arrays[VECTOR] for piece in pieces]))
        if GROUP in pieces[0].arrays:
            self._groups = self._tensor(np.concatenate([piece.arrays[GROUP] for piece in pieces]))
        self._seen = nothing_seen(
            len(self._queries), self._task.top, like=self._queries, width=self._task.context_width
        )

    def _tensor(self, array: npt.NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


class _Held:
    """Keys that wait until there are `room` of them; their arrays are made once and used again."""

    def __init__(self, room: int) -> None:
        self._room, self.count = room, 0
        self._ids: list[pa.Array] = []
        self._arrays: dict[str, npt.NDArray[np.generic]] = {}

    @property
    def is_full(self) -> bool:
        return self.count == self._room

    def take(self, keys: Piece, start: int) -> int:
        """Copy keys from `start` on as far as there is room; returns how many."""
        end = min(len(keys.ids), start + self._room - self.count)
        here = slice(self.count, self.count + end - start)
        for name, given in keys.arrays.items():
            if name not in self._arrays:  # pages of memory that no key is copied to are never touched
                self._arrays[name] = np.empty((self._room, *given.shape[1:]), given.dtype)
            self._arrays[name][here] = given[start:end]
        self._ids.append(keys.ids[start:end])
        self.count = here.stop
        return end - start

    def ids(self) -> pa.Array:
        return pa.concat_arrays(self._ids)

    def shard(self, first: int, task: Task, device: torch.device) -> Shard:
        held = {name: torch.from_numpy(a[: self.count]).to(device) for name, a in self._arrays.items()}
        # Untrained, an item is found by what it is: values are the keys themselves.
        values = held.get(VALUE, held[VECTOR]) if task.context_width else None
        return Shard.of(
            held[VECTOR],
            first=first,
            bias=held.get(c.BIAS),
            groups=held.get(GROUP),
            values=values,
            is_half=task.is_half,
        )

    def clear(self) -> None:
        self._ids, self.count = [], 0


def _page(
    query_ids: pa.Array, key_ids: pa.ChunkedArray, seen: Partial, attention: Attention, device: torch.device
) -> pa.RecordBatch:
    is_key = seen.positions >= 0  # (n, top)
    ends = is_key.sum(dim=1).cumsum(0).numpy()
    neighbors = key_ids.take(pa.array(seen.positions[is_key].numpy())).combine_chunks()
    log_sum_exp = attention.log_sum_exp.numpy()
    is_alone = np.isneginf(log_sum_exp)
    n, width = attention.context.shape
    context_ends = np.where(is_alone, 0, width).cumsum()
    contexts = _lists(
        context_ends, pa.array(attention.context[~torch.from_numpy(is_alone)].float().flatten().numpy())
    )
    columns = {
        c.ITEM_ID: query_ids,
        c.LOG_SUM_EXP: pa.array(log_sum_exp, mask=is_alone),
        c.TOP_MASS: pa.array(attention.top_mass.numpy()),
        c.ENTROPY: pa.array(attention.entropy.numpy()),
        NEIGHBOR_IDS: _lists(ends, neighbors),
        SCORES: _lists(ends, pa.array(seen.scores[is_key].float().numpy())),
        ATTENTIONS: _lists(ends, pa.array(attention.weights[is_key].numpy())),
        c.CONTEXT: pc.if_else(pa.array(is_alone | (width == 0)), pa.nulls(n, contexts.type), contexts),
        SCORE_ERROR: pa.array(seen.error.numpy()),
        DEVICE: pa.repeat(str(device), n),
    }
    return pa.RecordBatch.from_pydict(columns)


def _lists(ends: npt.NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    """Lists that end at `ends`, one behind the other."""
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]).astype(np.int32)), values)
