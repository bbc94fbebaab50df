"""What speaks for a recommendation, in words."""

from typing import NamedTuple


class Reason(NamedTuple):
    """What one recommendation's score is made of."""

    companion: str  # name of the item in the basket that it is most tied to; "" = none
    together: float  # part of the score that comes from what is bought together
    times: int  # the customer's other baskets that hold it
    baskets: int  # the customer's other baskets
    own: float  # part of the score that comes from them
    attention: float  # part of the score that comes from attention
    even: float  # the attention as a multiple of an even share


def sentence(reason: Reason) -> str:
    """One sentence, what counts most first.

    Such as `bought with oat milk, 1 l; in 3 of the customer's 12 other baskets; attention 41 times even`.
    """
    said = []
    if reason.together > 0 and reason.companion:
        said.append((reason.together, f"bought with {reason.companion}"))
    if reason.times:
        plural = "s" if reason.baskets > 1 else ""
        said.append(
            (reason.own, f"in {reason.times:,} of the customer's {reason.baskets:,} other basket{plural}")
        )
    if reason.attention > 0:
        said.append((reason.attention, f"attention {_times(reason.even)} times even"))
    return "; ".join(text for _, text in sorted(said, key=lambda part: -part[0]))


def _times(factor: float) -> str:
    """1,234, 5.1 or 0.04."""
    digits = 0 if factor >= 100 else 1 if factor >= 1 else 2  # noqa: PLR2004
    return f"{factor:,.{digits}f}"
