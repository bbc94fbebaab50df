"""Names of columns that only this stage's scratch tables have, and what its settings mean to a task."""

from typing import Final, NamedTuple

BLOCK: Final = "block"  # int, the block of queries that a row is for
IS_SOLD: Final = "is_sold"  # boolean, others attend to the item; who is not sold only attends
IS_KEY: Final = "is_key"  # boolean, a key to attend to; false for the queries themselves
LANE: Final = "lane"  # int, hashes to a partition of the block's own
VECTOR: Final = "vector"  # array<float>, query or key
GROUP: Final = "group"  # string, category or department by which keys are masked; null when unknown
NEIGHBOR_IDS: Final = "neighbor_ids"  # array<string>, strongest first
SCORES: Final = "scores"  # array<float>, descending
ATTENTIONS: Final = "attentions"  # array<double>, descending
VALUE: Final = "value"  # array<float>, what a key adds to contexts; null for queries
SCORE_ERROR: Final = "score_error"  # double, no score in the softmax is further off
DEVICE: Final = "device"  # string, where it was computed: cpu or cuda:<n>


class Task(NamedTuple):
    """What a task does with its rows."""

    scale: float  # factor before the softmax
    top: int  # neighbours per query
    key_shard: int  # keys held at once
    within: bool | None  # see `masks.Mask`
    is_half: bool  # bfloat16 where its error is small
    context_width: int  # numbers of a context; 0: none are wanted
    table: str  # that the vectors are of
