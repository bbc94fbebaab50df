"""Small baskets as the numpy functions take them, and the loop that they are compared with."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np
from hypothesis import strategies as st

from basketlens.mine.blocks import Block

N_ITEMS = 7
BASKETS = st.lists(st.sets(st.integers(0, N_ITEMS - 1)), max_size=25)


def block_of(baskets: Iterable[Iterable[int]]) -> Block:
    rows = [sorted(basket) for basket in baskets]
    codes = np.array([code for row in rows for code in row], np.int32)
    return Block(codes, np.cumsum([0, *map(len, rows)]).astype(np.int64))


def baskets_of(block: Block) -> list[list[int]]:
    return [block.codes[low:high].tolist() for low, high in zip(block.starts, block.starts[1:], strict=False)]


def counted(baskets: Iterable[Iterable[int]], sizes: Iterable[int]) -> Counter:
    sizes = list(sizes)
    return Counter(
        part for basket in baskets for size in sizes for part in combinations(sorted(basket), size)
    )
