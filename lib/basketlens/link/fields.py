"""Names of columns that only this stage's scratch tables have."""

from typing import Final

BLOCK: Final = "block"  # int, the block of queries that a row is for
IS_KEY: Final = "is_key"  # boolean, a key to attend to; false for the queries themselves
LANE: Final = "lane"  # int, hashes to a partition of the block's own
NEIGHBOR_IDS: Final = "neighbor_ids"  # array<string>, strongest first
SCORES: Final = "scores"  # array<float>, descending
ATTENTIONS: Final = "attentions"  # array<double>, descending
