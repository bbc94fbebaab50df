"""Values that Spark's hash partitioning sends to partitions of their own.

`repartition(n, column)` hashes: n distinct values leave a third of n partitions empty and crowd others.  A lane is
a value chosen so that its hash hits one partition.  Were the hash another one, results would be the same and only
the balance lost.
"""

from itertools import count
from typing import Final

_SEED: Final = 42  # of Spark's HashPartitioning
_MASK: Final = 0xFFFFFFFF


def lanes(partitions: int) -> list[int]:
    """For each partition 0..n-1 the smallest int that `repartition(n, lane)` sends there."""
    found: dict[int, int] = {}
    for value in count():
        found.setdefault(spark_hash(value) % partitions, value)
        if len(found) == partitions:
            break
    return [found[partition] for partition in range(partitions)]


def spark_hash(value: int) -> int:
    """`hash(value)` of Spark SQL for an int 0..2^31-1: MurmurHash3 x86 32 of its four bytes, signed.

    Source: Austin Appleby, MurmurHash3; Spark's `Murmur3_x86_32.hashInt`.
    """
    k = _rotated(value * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK
    h = (_rotated(_SEED ^ k, 13) * 5 + 0xE6546B64) & _MASK
    h ^= 4  # bytes hashed
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK
    h ^= h >> 16
    return h - (1 << 32) if h >> 31 else h


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _MASK
