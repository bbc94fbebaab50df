"""Why a row is no line.  docs/cleaning.md says for each what it means and what to do about it."""

from typing import Final

# What a row says by itself (`clean/receipts.py`).
MALFORMED_ROW: Final = "malformed_row"
MISSING_BASKET: Final = "missing_basket"
MISSING_PRODUCT: Final = "missing_product"
MISSING_NAME: Final = "missing_name"
NON_MERCHANDISE: Final = "non_merchandise"
BAD_TIMESTAMP: Final = "bad_timestamp"
OUT_OF_WINDOW: Final = "out_of_window"
BAD_QUANTITY: Final = "bad_quantity"
ZERO_QUANTITY: Final = "zero_quantity"
BAD_AMOUNT: Final = "bad_amount"
NON_POSITIVE_AMOUNT: Final = "non_positive_amount"
# What other rows make of it (`clean/repeats.py`, `clean/returns.py`).
DUPLICATE: Final = "duplicate"
RETURN_MATCHED: Final = "return_matched"  # netted: a sale has fewer units left by it
RETURN_UNMATCHED: Final = "return_unmatched"  # some or all of its units met no sale
CANCELLED: Final = "cancelled"  # a sale of which no unit is left

ALL: Final = (
    MALFORMED_ROW, MISSING_BASKET, MISSING_PRODUCT, MISSING_NAME, NON_MERCHANDISE, BAD_TIMESTAMP, OUT_OF_WINDOW,
    BAD_QUANTITY, ZERO_QUANTITY, BAD_AMOUNT, NON_POSITIVE_AMOUNT, DUPLICATE, RETURN_MATCHED, RETURN_UNMATCHED, CANCELLED,
)  # fmt: skip
