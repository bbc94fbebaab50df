"""How many keys a task of `link` holds at once, and for how many queries, within the memory that it may take.

Bytes are counted tensor by tensor, each at the largest that it can become; no tensors here: the driver plans.
"""

import math
from typing import Final, NamedTuple

from basketlens.errors import SettingsError
from basketlens.link.tiles import PAGE_LINKS, PANEL_TILES, RESCORED, room_for, tile_of, widest_row

MIB: Final = 1 << 20
ID_BYTES: Final = 64  # an item's id as Arrow has it, and its place in a hash table
BATCH_ROWS: Final = 10_000  # spark.sql.execution.arrow.maxRecordsPerBatch, as shipped and by Spark's default
FEWEST: Final = 256  # keys or queries, below which a task would do little but read


class Load(NamedTuple):
    """What the memory of a task depends on."""

    items: int  # of the catalogue
    width: int  # numbers of a query
    top: int  # neighbours per query
    context: int = 0  # numbers of a context; 0: none are wanted
    is_trained: bool = False  # keys have biases, and values of their own where contexts are wanted
    is_masked: bool = False
    is_half: bool = False


class Plan(NamedTuple):
    """Sizes of the pieces that the catalogue is cut into."""

    keys: int  # held at once; more come as further shards
    queries: int  # of a block


def plan(load: Load, *, memory: int) -> Plan:
    """Cut the catalogue for tasks of `memory` bytes each.

    Keys stay in one piece when they fit half of what is free; queries get the rest, because every block of queries
    costs a copy of all keys in the shuffle, and a further shard of keys costs next to nothing.

    Raises:
        SettingsError: the memory is too small to do any work.
    """
    fixed = fixed_bytes(load) + load.items * ID_BYTES
    fewest = min(load.items, FEWEST)
    wanted = fixed + 2 * fewest * max(key_bytes(load), query_bytes(load) * 2)
    if memory < wanted:
        raise SettingsError(
            f"link.memory_mib = {memory // MIB} is too small for {load.items:,} items of {load.width} numbers and"
            f" {load.top} neighbours each.\n  Next: --set link.memory_mib={math.ceil(wanted / MIB)} or more"
        )
    free = memory - fixed
    keys = min(load.items, free // 2 // key_bytes(load))
    queries = (free - keys * key_bytes(load)) // query_bytes(load)
    # Blocks are cut by hash: one of q items on average has up to q + 5 sqrt(q).
    return Plan(max(1, keys), max(1, queries - 5 * math.isqrt(queries)))


def key_bytes(load: Load) -> int:
    """Of a key while it is held: vector, bias, group, value, bfloat16 vector, length, id."""
    value = 4 * load.context if load.is_trained else 0
    half = 2 * load.width if load.is_half else 0
    bias = 16 if load.is_trained else 0  # and its absolute value
    return 4 * load.width + bias + 8 * load.is_masked + value + half + 4 + ID_BYTES


def query_bytes(load: Load) -> int:
    """Of a query: vector, and once more while Arrow's batches are joined; what it knows; self, group, id."""
    known = 4 * 8 + 16 * load.top + 8 * load.context
    return 2 * 4 * load.width + known + 16 + 8 * load.is_masked + ID_BYTES


def fixed_bytes(load: Load) -> int:
    """Of a tile with its candidates, a page of results, and the batches on their way in."""
    rows, keys = tile_of(load.top)
    candidates = rows * widest_row(load.top) + room_for(load.top, rows) + rows * keys
    scores = (
        4 * (PANEL_TILES + 8) * rows * keys
    )  # scores of a panel, exponentials of a tile, and what becomes of them
    ranked = 32 * rows * widest_row(load.top)  # scores and positions as a table, and sorted
    of_candidates = 3 * 20 * candidates  # row, key and score: gathered, in order, and those kept
    vectors = 8 * load.width * (3 * RESCORED + keys + rows) + 3 * 8 * rows * load.context
    page = 128 * (PAGE_LINKS + load.top) + 16 * load.context * (PAGE_LINKS // load.top + 1)
    value = load.context if load.is_trained else 0
    batches = 3 * 4 * BATCH_ROWS * (load.width + value)
    return scores + ranked + of_candidates + vectors + page + batches
