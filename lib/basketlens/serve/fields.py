"""Columns of the rows that a task of recommendations reads; neither Spark nor numpy."""

from typing import Final, NamedTuple

from basketlens.evaluate.winners import Blend

ROW_KIND: Final = "row_kind"  # int: ITEM, WEIGHT or BASKET, in which order they come
ITEM, WEIGHT, BASKET = 0, 1, 2
KEY_ID: Final = "key_id"  # string: item_id or basket_id
NAME: Final = "name"  # string, of an item
WEIGHTS: Final = (
    "weights"  # binary, of an item of EASE: little-endian float32, one for each item of EASE by id
)
CUSTOMER: Final = "customer"  # string, customer_key of a basket; null = not known
BOUGHT: Final = "bought"  # array<string>, items of the customer's other baskets, ascending
TIMES: Final = "times"  # array<int>, in how many of them each is
RECENT: Final = "recent"  # array<long>, the same, older baskets counting less, in 1 / ONE
OTHER_BASKETS: Final = "other_baskets"  # int, the customer's other baskets
OTHER_RECENT: Final = "other_recent"  # long, the same, older ones counting less, in 1 / ONE
ONE: Final = 1 << 40  # a basket of the last day: sums of whole numbers are the same in every order


class Options(NamedTuple):
    """How a task scores baskets."""

    blend: Blend
    method: str  # its name in `evaluation`
    top: int  # recommendations per basket, 1 or more
    cells: int  # scores at once, baskets times items
