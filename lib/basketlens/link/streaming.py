"""One task of `link`: a block of queries, over which the keys stream in Arrow batches.

Neither torch's nor Spark's side knows the other: this file turns Arrow columns into tensors and back.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from basketlens import columns as c
from basketlens.errors import InputError
from basketlens.link.attention import Attention, Partial, attend, finish, merge, nothing_seen
from basketlens.link.fields import ATTENTIONS, BLOCK, IS_KEY, NEIGHBOR_IDS, SCORES

PAGE: Final = 1024  # queries of an Arrow batch given back: about 2 MiB at 50 neighbours


class Piece(NamedTuple):
    """Consecutive rows of one kind: queries or keys of one block."""

    block: int
    is_key: bool
    ids: pa.Array  # (rows,) string, ascending
    vectors: npt.NDArray[np.float32]  # (rows, d)


def attention_pages(
    batches: Iterator[pa.RecordBatch], *, scale: float, top: int, key_shard: int
) -> Iterator[pa.RecordBatch]:
    """Attention of every query in a stream of rows (block, is_key, item_id, embedding), sorted in that order.

    Args:
        batches: each block's queries, then all keys of the catalogue; ids ascending within both.
        scale: factor before the softmax.
        top: neighbours per query.
        key_shard: keys held at once.

    Yields:
        item_id, log_sum_exp, top_mass, entropy, neighbor_ids, scores, attentions: a row per query.
        log_sum_exp is null for an item that is alone in the catalogue.

    Raises:
        InputError: an embedding holds a value that is not finite.
    """
    block: _Block | None = None
    for batch in batches:
        for piece in pieces(batch):
            if block is None or block.number != piece.block:
                yield from block.pages() if block else ()
                block = _Block(piece.block, scale=scale, top=top, key_shard=key_shard)
            block.add(piece)
    yield from block.pages() if block else ()


def pieces(batch: pa.RecordBatch) -> Iterator[Piece]:
    """The batch cut where the block changes or its keys begin."""
    if not len(batch):
        return
    blocks = batch[BLOCK].to_numpy()
    is_key = batch[IS_KEY].to_numpy(zero_copy_only=False)
    cuts = np.flatnonzero((np.diff(blocks) != 0) | (is_key[1:] != is_key[:-1])) + 1
    starts = [0, *cuts.tolist()]
    for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
        rows = batch.slice(start, end - start)
        flat = rows[c.EMBEDDING].flatten().to_numpy(zero_copy_only=False)
        yield Piece(int(blocks[start]), bool(is_key[start]), rows[c.ITEM_ID], flat.reshape(len(rows), -1))


class _Block:
    """Queries of one block, and what they know of the keys that have passed."""

    def __init__(self, number: int, *, scale: float, top: int, key_shard: int) -> None:
        self.number, self._scale, self._top, self._key_shard = number, scale, top, key_shard
        self._query_pieces: list[Piece] = []
        self._held: list[Piece] = []  # keys not attended to yet
        self._key_ids: list[pa.Array] = []  # of all keys that have passed
        self._passed = 0
        self._queries: torch.Tensor | None = None
        self._query_ids: pa.Array = pa.array([], pa.string())
        self._seen: Partial | None = None

    def add(self, piece: Piece) -> None:
        if not piece.is_key:
            self._query_pieces.append(piece)
            return
        while len(piece.ids):
            room = self._key_shard - sum(len(held.ids) for held in self._held)
            self._held.append(piece._replace(ids=piece.ids[:room], vectors=piece.vectors[:room]))
            if len(piece.ids) >= room:
                self._attend_to_held()
            piece = piece._replace(ids=piece.ids[room:], vectors=piece.vectors[room:])

    def pages(self) -> Iterator[pa.RecordBatch]:
        """What is known of the queries once all keys have passed."""
        self._attend_to_held()
        if self._seen is None:
            return
        key_ids = pa.chunked_array(self._key_ids, pa.string())
        for i in range(0, len(self._query_ids), PAGE):
            seen = Partial(*(part[i : i + PAGE] for part in self._seen))
            yield _page(self._query_ids[i : i + PAGE], key_ids, seen, finish(seen))

    def _attend_to_held(self) -> None:
        if self._query_pieces:
            self._query_ids, self._queries = _joined(self._query_pieces)
            self._query_pieces = []
            self._seen = nothing_seen(len(self._queries), self._top, like=self._queries)
        if not self._held or self._queries is None or self._seen is None:
            self._held = []  # keys of a block without queries
            return
        ids, keys = _joined(self._held)
        self_at = pc.fill_null(pc.index_in(self._query_ids, value_set=ids), -1).to_numpy(zero_copy_only=False)
        shard = attend(
            self._queries,
            keys,
            torch.from_numpy(self_at.astype(np.int64)),
            scale=self._scale,
            top=self._top,
            first_position=self._passed,
        )
        self._seen = merge(self._seen, shard)
        self._key_ids.append(ids)
        self._passed += len(ids)
        self._held = []


def _joined(parts: list[Piece]) -> tuple[pa.Array, torch.Tensor]:
    ids = pa.concat_arrays([part.ids for part in parts])
    vectors = np.concatenate([part.vectors for part in parts])
    is_bad = ~np.isfinite(vectors).all(axis=1)
    if is_bad.any():
        raise InputError(
            f"Table 'embeddings' holds {int(is_bad.sum())} vectors with values that are not finite.\n"
            f"  First: the vector of item '{ids[int(is_bad.argmax())]}'\n  Next: embed again, or mend the table named by tables.read.embeddings"
        )
    return ids, torch.from_numpy(vectors)


def _page(
    query_ids: pa.Array, key_ids: pa.ChunkedArray, seen: Partial, attention: Attention
) -> pa.RecordBatch:
    is_key = seen.positions >= 0  # (n, top)
    starts = np.concatenate([[0], is_key.sum(dim=1).cumsum(0).numpy()]).astype(np.int32)

    def lists(values: pa.Array) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(starts), values)

    neighbors = key_ids.take(pa.array(seen.positions[is_key].numpy())).combine_chunks()
    log_sum_exp = attention.log_sum_exp.numpy()
    columns = {
        c.ITEM_ID: query_ids,
        c.LOG_SUM_EXP: pa.array(log_sum_exp, mask=np.isneginf(log_sum_exp)),
        c.TOP_MASS: pa.array(attention.top_mass.numpy()),
        c.ENTROPY: pa.array(attention.entropy.numpy()),
        NEIGHBOR_IDS: lists(neighbors),
        SCORES: lists(pa.array(seen.scores[is_key].float().numpy())),
        ATTENTIONS: lists(pa.array(attention.weights[is_key].numpy())),
    }
    return pa.RecordBatch.from_pydict(columns)
