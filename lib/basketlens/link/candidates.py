"""The strongest keys of each query, kept while keys stream by.

A key is a candidate when its score in the softmax's precision reaches the query's floor: the best lower bound yet
of its `top`-th best score, less what rounding may have cost.  Few keys do, and only those are ranked exactly.

The floor comes from the largest score of each group of neighbouring keys: the `top`-th largest of these is reached by
`top` keys.  That is one quick pass over the scores, and the only one over most of them: tiles are kept until a panel
of them has raised the floor, and then just the groups that reach it are looked into.
"""

from typing import Final

import torch
from torch import Tensor

from basketlens.link.shard import Shard
from basketlens.link.tiles import PANEL_TILES, RESCORED, group_width, room_for, widest_row

# Score of a query with itself or a key that a mask hides.  Not -inf: 0 * -inf would be NaN; nor lower: a tile of
# hidden keys is summed in float32.
HIDDEN: Final = -1e30


class Candidates:
    """Keys that may be among the `top` strongest of each of n queries."""

    def __init__(self, queries: Tensor, shard: Shard, *, scale: float, top: int, margin: float) -> None:
        """See `attention.attend`; `margin` is twice the largest error of a score that `add` is given."""
        self._queries, self._shard, self._scale, self._top, self._margin = queries, shard, scale, top, margin
        self._floor = queries.new_full((len(queries),), HIDDEN / 2)  # (n,), above HIDDEN, below every score
        self._rows = queries.new_empty(0, dtype=torch.int64)  # ascending; per row, keys ascend
        self._at = queries.new_empty(0, dtype=torch.int64)
        self._scores = queries.new_empty(0)
        self._new: list[tuple[Tensor, Tensor, Tensor]] = []
        self._room = self._limit = room_for(top, len(queries))
        self._tiles: list[tuple[Tensor, Tensor, int]] = []  # scores, largest per group, first key
        self._best = queries.new_empty((len(queries), 0))  # (n, up to top), largest scores of groups

    def add(self, s: Tensor, start: int) -> None:
        """Look at the scores (n, width) of the keys from row `start` on; rows must ascend.  `s` must not change after."""
        per_group = group_width(self._top)
        if s.shape[1] % per_group:
            s = torch.nn.functional.pad(s, (0, -s.shape[1] % per_group), value=HIDDEN)
        largest = s.view(len(s), -1, per_group).amax(dim=2) if per_group > 1 else s
        self._tiles.append((s, largest, start))
        if len(self._tiles) == PANEL_TILES:
            self._look()

    def strongest(self) -> tuple[Tensor, Tensor]:
        """Scores (n, top) float64, descending, and rows of the keys (n, top); -inf and -1 where there are fewer."""
        self._look()
        self._compact()
        exact, at = self._by_row(self._rescored(self._rows, self._at), -torch.inf)
        return first_per_row(exact, at, top=self._top)

    def _look(self) -> None:
        """Find the candidates of the tiles since the last look."""
        best = torch.cat([self._best, *(largest for _, largest, _ in self._tiles)], dim=1)
        if best.shape[1] >= self._top:
            best = best.topk(self._top, dim=1).values
            self._raise_floor(best[:, -1])
        self._best = best
        for s, largest, start in self._tiles:
            self._gather_from(s, largest, start)
        self._tiles = []

    def _gather_from(self, s: Tensor, largest: Tensor, start: int) -> None:
        """Keep what reaches the floor."""
        rows, groups = where(largest >= self._floor[:, None])
        scores, at = largest[rows, groups], groups
        if s.shape != largest.shape:
            # index_select copies whole rows; indexing with [] goes number by number.
            at = rows * largest.shape[1] + groups
            inside = s.view(largest.numel(), -1).index_select(0, at)  # (groups found, keys of a group)
            which, places = where(inside >= self._floor[rows, None])
            scores, at, rows = inside[which, places], groups[which] * inside.shape[1] + places, rows[which]
        self._new.append((rows, at + start, scores))
        self._room -= len(rows)
        if self._room < 0:
            self._compact()

    def _raise_floor(self, bound: Tensor) -> None:
        self._floor = torch.maximum(self._floor, bound - self._margin)

    def _compact(self) -> None:
        """Drop what fell below the floor."""
        self._gather()
        self._thin()
        scores, _ = self._by_row(self._scores, HIDDEN)
        if scores.shape[1] > self._top:
            self._raise_floor(scores.topk(self._top, dim=1).values[:, -1])
        self._keep(self._scores >= self._floor[self._rows])
        self._room = self._limit

    def _gather(self) -> None:
        rows, at, scores = zip((self._rows, self._at, self._scores), *self._new, strict=True)
        self._new = []
        self._rows, order = torch.cat(rows).sort(stable=True)
        self._at, self._scores = torch.cat(at)[order], torch.cat(scores)[order]

    def _thin(self) -> None:
        """Rank a query that has very many candidates by itself, and keep its best: memory stays bounded.

        Equals crowd where a vector is zero or many are the same.
        """
        counts = torch.bincount(self._rows, minlength=len(self._queries))
        crowded = (counts > widest_row(self._top)).nonzero()[:, 0].tolist()
        if not crowded:
            return
        starts = counts.cumsum(0) - counts
        is_kept = torch.ones_like(self._rows, dtype=torch.bool)
        for row in crowded:
            start = int(starts[row])
            here = slice(start, start + int(counts[row]))
            exact = self._rescored(self._rows[here], self._at[here])
            is_kept[here] = False
            is_kept[start + exact.sort(descending=True, stable=True).indices[: self._top]] = True
        self._keep(is_kept)

    def _keep(self, is_kept: Tensor) -> None:
        self._rows, self._at, self._scores = self._rows[is_kept], self._at[is_kept], self._scores[is_kept]

    def _by_row(self, values: Tensor, empty: float) -> tuple[Tensor, Tensor]:
        """One value per candidate as (n, widest row), filled with `empty`, and the keys' rows, filled with -1."""
        counts = torch.bincount(self._rows, minlength=len(self._queries))
        widest = int(counts.max()) if len(counts) else 0
        slots = torch.arange(len(self._rows), device=counts.device) - (counts.cumsum(0) - counts)[self._rows]
        table = values.new_full((len(counts), widest), empty)
        at = self._at.new_full((len(counts), widest), -1)
        table[self._rows, slots], at[self._rows, slots] = values, self._at
        return table, at

    def _rescored(self, rows: Tensor, at: Tensor) -> Tensor:
        """Scores in float64; the reduction of a pair is the same wherever the pair stands."""
        vectors, d = self._shard.vectors, self._queries.shape[1]
        exact = self._queries.new_empty(len(rows), dtype=torch.float64)
        precise = self._queries.double()
        # Memory is asked for once: fresh pages cost more than what is computed in them.
        key = vectors.new_empty(min(RESCORED, len(rows)), d)
        left, right = torch.empty_like(key, dtype=torch.float64), torch.empty_like(key, dtype=torch.float64)
        for i in range(0, len(rows), RESCORED):
            part = slice(0, len(rows[i : i + RESCORED]))
            torch.index_select(precise, 0, rows[i : i + RESCORED], out=left[part])
            right[part].copy_(torch.index_select(vectors, 0, at[i : i + RESCORED], out=key[part]))
            torch.sum(left[part].mul_(right[part]), dim=1, out=exact[i : i + RESCORED])
        exact *= self._scale
        return exact if self._shard.bias is None else exact + self._shard.bias[at]


def where(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns that are true in (n, width), in order of rows, then columns.

    A processor looks at eight at a time: few are true, and most words are zero.
    """
    n, width = mask.shape
    if mask.is_cuda or width % 8:
        rows, columns = mask.nonzero(as_tuple=True)
        return rows, columns
    rows, words = mask.view(torch.int64).nonzero(as_tuple=True)
    hit, bits = mask.view(n, width // 8, 8)[rows, words].nonzero(as_tuple=True)
    return rows[hit], words[hit] * 8 + bits


def first_per_row(scores: Tensor, positions: Tensor, *, top: int) -> tuple[Tensor, Tensor]:
    """The `top` best per row, descending; among equals the one further left.  Padded with -inf and -1."""
    if scores.shape[1] < top:
        missing = top - scores.shape[1]
        scores = torch.nn.functional.pad(scores, (0, missing), value=-torch.inf)
        positions = torch.nn.functional.pad(positions, (0, missing), value=-1)
    best, order = scores.sort(dim=1, descending=True, stable=True)
    return best[:, :top], positions.gather(1, order)[:, :top]
