"""How large the pieces are that a task computes at once; no tensors here, so that the driver can plan with them."""

from typing import Final

QUERY_TILE: Final = 512  # with KEY_TILE: 2 MiB of scores, which stay in the processor's cache
KEY_TILE: Final = 1024
PANEL_TILES: Final = 16  # tiles that are kept until the strongest of their groups are known: 32 MiB
GROUP: Final = 64  # neighbouring keys of which the strongest is looked at first
MANY: Final = 1024  # neighbours per query from which on tiles get fewer queries: candidates need the room
SMALLEST: Final = 32  # queries of a tile, however many neighbours are wanted
GPU_TIMES: Final = 4  # a GPU is idle on tiles that fit a processor's cache; 4 x 4 makes 32 MiB of scores
RESCORED: Final = 256  # pairs ranked at a time: their vectors in float64 stay in the processor's cache
PAGE_LINKS: Final = 65536  # neighbours of an Arrow batch given back: about 4 MiB


def tile_of(top: int, *, on_gpu: bool = False) -> tuple[int, int]:
    """Queries and keys whose scores exist at once, when `top` neighbours per query are wanted."""
    queries = max(SMALLEST, min(QUERY_TILE, QUERY_TILE * MANY // top))
    return (queries * GPU_TIMES, KEY_TILE * GPU_TIMES) if on_gpu else (queries, KEY_TILE)


def group_width(top: int) -> int:
    """Keys of a group, a power of two: a panel has several times `top` groups, or each key is a group."""
    groups = PANEL_TILES * KEY_TILE // (4 * top)
    return min(GROUP, 1 << (groups.bit_length() - 1)) if groups >= 8 else 1  # noqa: PLR2004 - see `where`


def widest_row(top: int) -> int:
    """Candidates of one query from which on it is ranked by itself."""
    return 3 * top + KEY_TILE


def room_for(top: int, queries: int) -> int:
    """Candidates of a tile of `queries` that are gathered before those below the floor are dropped."""
    return 2 * top * max(queries, 64)
