"""Columns of the rows that a training task reads and gives back; neither Spark nor torch."""

from typing import Final, NamedTuple

TASK: Final = "task_number"  # int
IS_BASKET: Final = "is_basket"  # boolean, a basket, else an item
KEY_ID: Final = "key_id"  # string, item_id or basket_id
NAME: Final = "name"  # string, of an item, as it was embedded
VECTOR: Final = "vector"  # array<float>, embedding of an item's name
CUSTOMER: Final = "customer"  # string, customer_key of a basket, null where it is not known
DAY: Final = "day"  # int, days since 1970-01-01 of a basket; 0 where it is not known, and of items

TABLE: Final = "table"  # string, which table a row given back is of, or `HEADS`
HEADS: Final = "heads"  # a row with the trained model itself
ENCODER: Final = "encoder"  # rows with the weights of a trained encoder, in parts
PAYLOAD: Final = "payload"  # binary, the model as safetensors
FACTS: Final = "facts"  # string, JSON: what is known of the training

MOST_ITEMS: Final = (
    200_000  # of a model that is exported: 310 MB of residuals at 192 numbers, which pass the driver
)
MOST_PARTS: Final = (
    16  # of an encoder that was trained, 32 MiB each: 130 million weights, which pass the driver
)


class Task(NamedTuple):
    """What one task is asked to do."""

    is_evaluation: bool  # train on the past and report; else train on everything and keep the model
    seed: int
