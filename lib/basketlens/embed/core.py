"""Names in, vectors out: the one function under the stage and under `embed_udf`."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from basketlens.embed.encoder import Encoder, Tokens

Key = TypeVar("Key")


class Room(NamedTuple):
    """Vectors of the names that were batched together, and the work that they took."""

    vectors: npt.NDArray[np.float32]  # (names, width); zeros where there is an error
    errors: Sequence[str | None]  # per name, why it has no vector
    tokens: int
    padded: int  # tokens and padding
    flops: float
    seconds: float  # of this task at work on the room, reading its input apart


def embedded(
    rooms: Iterator[tuple[Key, Sequence[str | None]]],
    load: Callable[[], Encoder],
    *,
    batch_tokens: int,
    clock: Callable[[], float],
) -> Iterator[tuple[Key, Room]]:
    """The rooms in their order.  One room is read and tokenised while the one before it goes through the model.

    Args:
        rooms: whatever the caller wants back, and names; a name may repeat and is embedded once in its room.
        load: gives the encoder; called when there is a room, so that no names cost no model.
        batch_tokens: as in `Encoder.encode`.
        clock: seconds.
    """
    with ThreadPoolExecutor(1) as pool:
        ahead: deque[tuple[Key, list[int], Future[Tokens]]] = deque()

        def finish() -> tuple[Key, Room]:
            key, at, tokens = ahead.popleft()
            began = clock()
            made = encoder.encode(tokens.result(), batch_tokens=batch_tokens)
            errors = [made.errors.get(i) if i >= 0 else "there is no name" for i in at]
            return key, Room(
                _placed(made.vectors, at), errors, made.tokens, made.padded, made.flops, clock() - began
            )

        for key, names in rooms:
            encoder = load()
            distinct = {name: i for i, name in enumerate(dict.fromkeys(n for n in names if n is not None))}
            at = [distinct.get(name, -1) if name is not None else -1 for name in names]
            ahead.append((key, at, pool.submit(encoder.tokenized, list(distinct))))
            if len(ahead) > 1:
                yield finish()
        while ahead:
            yield finish()


def _placed(vectors: npt.NDArray[np.float32], at: Sequence[int]) -> npt.NDArray[np.float32]:
    if at == list(range(len(vectors))):
        return vectors
    placed = np.zeros((len(at), vectors.shape[1]), np.float32)
    where = np.array(at)
    placed[where >= 0] = vectors[where[where >= 0]]
    return placed
