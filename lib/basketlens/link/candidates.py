"""The strongest keys of each query, kept while keys stream by.

A key is a candidate when its float32 score reaches the query's floor: the best lower bound yet of its
`top`-th best score, less what rounding may have cost.  Few keys do, and only those are ranked exactly.
"""

from typing import Final

import torch
from torch import Tensor

HIDDEN: Final = -1e37  # float32 score of a query with itself.  Not -inf: 0 * -inf would be NaN
RESCORED: Final = 512  # pairs ranked at a time: their vectors in float64 stay in the processor's cache


class Candidates:
    """Keys that may be among the `top` strongest of each of n queries."""

    def __init__(self, queries: Tensor, keys: Tensor, *, scale: float, top: int, margin: float) -> None:
        """See `attention.attend`; `margin` is twice the largest rounding error of a float32 score."""
        self._queries, self._keys, self._scale, self._top, self._margin = queries, keys, scale, top, margin
        self._floor = queries.new_full((len(queries),), HIDDEN / 2)  # (n,), above HIDDEN, below every score
        self._rows = queries.new_empty(0, dtype=torch.int64)  # ascending; per row, keys ascend
        self._at = queries.new_empty(0, dtype=torch.int64)
        self._scores = queries.new_empty(0)
        self._new: list[tuple[Tensor, Tensor, Tensor]] = []
        self._room = self._limit = 2 * top * max(len(queries), 64)

    def add(self, s: Tensor, start: int) -> None:
        """Look at the float32 scores (n, width) of the keys from row `start` on; rows must ascend."""
        if start == 0 and s.shape[1] > self._top:
            self._raise_floor(s.topk(self._top, dim=1).values[:, -1])
        rows, at = (s >= self._floor[:, None]).nonzero(as_tuple=True)
        self._new.append((rows, at + start, s[rows, at]))
        self._room -= len(rows)
        if self._room < 0:
            self._compact()

    def strongest(self) -> tuple[Tensor, Tensor]:
        """Scores (n, top) float64, descending, and rows of the keys (n, top); -inf and -1 where there are fewer."""
        self._compact()
        return self._exact()

    def _raise_floor(self, bound: Tensor) -> None:
        self._floor = torch.maximum(self._floor, bound - self._margin)

    def _compact(self) -> None:
        """Drop what fell below the floor; where equals crowd, rank them now so that memory stays bounded."""
        self._gather()
        scores, _ = self._by_row(self._scores, HIDDEN)
        if scores.shape[1] > self._top:
            self._raise_floor(scores.topk(self._top, dim=1).values[:, -1])
        self._keep(self._scores >= self._floor[self._rows])
        if len(self._rows) > self._limit:
            scores, at = self._exact()
            rows, slots = (at >= 0).nonzero(as_tuple=True)
            at, order = at.where(at >= 0, len(self._keys)).sort(dim=1)
            self._rows, self._at = rows, at[rows, slots]
            self._scores = scores.gather(1, order)[rows, slots].float()
        self._room = self._limit

    def _gather(self) -> None:
        rows, at, scores = zip((self._rows, self._at, self._scores), *self._new, strict=True)
        self._new = []
        self._rows, order = torch.cat(rows).sort(stable=True)
        self._at, self._scores = torch.cat(at)[order], torch.cat(scores)[order]

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

    def _exact(self) -> tuple[Tensor, Tensor]:
        """The `top` best by float64 score; the reduction of a pair is the same wherever the pair stands."""
        exact = self._scores.new_empty(len(self._rows), dtype=torch.float64)
        for i in range(0, len(exact), RESCORED):
            q = self._queries[self._rows[i : i + RESCORED]].double()
            exact[i : i + RESCORED] = q.mul_(self._keys[self._at[i : i + RESCORED]]).sum(dim=1)
        return first_per_row(*self._by_row(exact * self._scale, -torch.inf), top=self._top)


def first_per_row(scores: Tensor, positions: Tensor, *, top: int) -> tuple[Tensor, Tensor]:
    """The `top` best per row, descending; among equals the one further left.  Padded with -inf and -1."""
    if scores.shape[1] < top:
        missing = top - scores.shape[1]
        scores = torch.nn.functional.pad(scores, (0, missing), value=-torch.inf)
        positions = torch.nn.functional.pad(positions, (0, missing), value=-1)
    best, order = scores.sort(dim=1, descending=True, stable=True)
    return best[:, :top], positions.gather(1, order)[:, :top]
