"""Every table contract, and `conform`, which holds a DataFrame to one."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from basketlens import columns as c
from basketlens.errors import TableContractError

_STRING, _LONG, _INT, _DOUBLE, _BOOL, _DATE = (
    T.StringType(),
    T.LongType(),
    T.IntegerType(),
    T.DoubleType(),
    T.BooleanType(),
    T.DateType(),
)
_STRINGS: Final = T.ArrayType(_STRING)


def _contract(*fields: tuple[str, T.DataType]) -> T.StructType:
    return T.StructType([T.StructField(name, kind) for name, kind in fields])


LINES: Final = _contract(
    (c.BASKET_ID, _STRING),
    (c.PRODUCT_ID, _STRING),
    (c.CUSTOMER_KEY, _STRING),
    (c.STORE_ID, _STRING),
    (c.SOLD_AT, T.TimestampType()),
    (c.QUANTITY, _DOUBLE),
    (c.AMOUNT, T.DecimalType(18, 4)),
    (c.SOURCE_ROWS, _LONG),
    (c.PROMOTION, _STRING),
    (c.SOLD_ON, _DATE),
)

REJECTS: Final = _contract(
    (c.SOURCE, _STRING),
    (c.ROW_HASH, _STRING),
    (c.REASONS, _STRINGS),
    (c.RAW, _STRING),
    (c.RUN_ID, _STRING),
    (c.SOLD_ON, _DATE),
)

# What a user's own table must have to stand in for ours (`tables.read.lines`): no columns that only we fill.
_OURS_ALONE: Final = (c.SOURCE_ROWS, c.PROMOTION, c.SOLD_ON)
LINES_INPUT: Final = T.StructType([f for f in LINES.fields if f.name not in _OURS_ALONE])
REJECTS_INPUT: Final = T.StructType([f for f in REJECTS.fields if f.name != c.SOLD_ON])

PRODUCTS: Final = _contract(
    (c.PRODUCT_ID, _STRING),
    (c.PRODUCT_NAME, _STRING),
    (c.CATEGORY, _STRING),
    (c.DEPARTMENT, _STRING),
    (c.BRAND, _STRING),
    (c.UNIT_COST, _DOUBLE),
    (c.LABEL_SOURCE, _STRING),
    (c.NAME_HASH, _STRING),
    (c.IS_MERCHANDISE, _BOOL),
)

ITEMS: Final = _contract(
    (c.ITEM_ID, _STRING),
    (c.LEVEL, _STRING),
    (c.ITEM_NAME, _STRING),
    (c.CATEGORY, _STRING),
    (c.DEPARTMENT, _STRING),
    (c.LINES, _LONG),
)

EMBEDDINGS: Final = _contract(
    (c.NAME_HASH, _STRING),
    (c.PRODUCT_NAME, _STRING),
    (c.EMBEDDING, T.ArrayType(T.FloatType())),
    (c.MODEL_DIGEST, _STRING),
    (c.ERROR, _STRING),
)
# Also what an earlier version wrote.
EMBEDDINGS_INPUT: Final = T.StructType([f for f in EMBEDDINGS.fields if f.name != c.ERROR])

PROJECTIONS: Final = _contract(
    (c.ITEM_ID, _STRING),
    (c.QUERY, T.ArrayType(T.FloatType())),
    (c.KEY, T.ArrayType(T.FloatType())),
    (c.BIAS, _DOUBLE),
)

EVALUATION: Final = _contract(
    (c.METHOD, _STRING),
    (c.TASK, _STRING),
    (c.METRIC, _STRING),
    (c.CLASS, _STRING),
    (c.SEED, _INT),
    (c.VALUE, _DOUBLE),
    (c.LOW, _DOUBLE),
    (c.HIGH, _DOUBLE),
)

LABELS: Final = _contract(
    (c.PRODUCT_ID, _STRING),
    (c.GIVEN, _STRING),
    (c.PREDICTED, _STRING),
    (c.PROBABILITY, _DOUBLE),
    (c.IS_SUSPECT, _BOOL),
    (c.LABEL_SOURCE, _STRING),
)

LINKS: Final = _contract(
    (c.ITEM_ID, _STRING),
    (c.NEIGHBOR_ID, _STRING),
    (c.RANK, _INT),
    (c.SCORE, T.FloatType()),
    (c.ATTENTION, _DOUBLE),
)

LINK_STATS: Final = _contract(
    (c.ITEM_ID, _STRING), (c.LOG_SUM_EXP, _DOUBLE), (c.TOP_MASS, _DOUBLE), (c.ENTROPY, _DOUBLE)
)

CONTEXTS: Final = _contract((c.ITEM_ID, _STRING), (c.CONTEXT, T.ArrayType(T.FloatType())))

ITEMSETS: Final = _contract(
    (c.LEVEL, _STRING),
    (c.ITEMS, _STRINGS),
    (c.SIZE, _INT),
    (c.COUNT, _LONG),
    (c.SUPPORT, _DOUBLE),
    (c.CUSTOMERS, _LONG),
    (c.IS_CLOSED, _BOOL),
    (c.IS_MAXIMAL, _BOOL),
    (c.BASKET_REVENUE, _DOUBLE),
    (c.ITEM_REVENUE, _DOUBLE),
)

RULES: Final = _contract(
    (c.LEVEL, _STRING),
    (c.ANTECEDENT, _STRINGS),
    (c.CONSEQUENT, _STRINGS),
    (c.N_AB, _LONG),
    (c.N_A, _LONG),
    (c.N_B, _LONG),
    (c.N, _LONG),
    (c.SUPPORT, _DOUBLE),
    (c.CONFIDENCE, _DOUBLE),
    (c.LIFT, _DOUBLE),
    (c.LEVERAGE, _DOUBLE),
    (c.CONVICTION, _DOUBLE),
    (c.P_VALUE, _DOUBLE),
    (c.LOG10_P, _DOUBLE),
    (c.Q_VALUE, _DOUBLE),
    (c.LOG10_Q, _DOUBLE),
    (c.HOLM_P, _DOUBLE),
    (c.LOG10_HOLM_P, _DOUBLE),
    (c.LIFT_LOW, _DOUBLE),
    (c.LIFT_HIGH, _DOUBLE),
    (c.HOLDOUT_LIFT, _DOUBLE),
    (c.CUSTOMERS, _LONG),
    (c.IMPROVEMENT, _DOUBLE),
    (c.IS_REDUNDANT, _BOOL),
    (c.SHRINKAGE, _DOUBLE),
    (c.STRATIFIED_LIFT, _DOUBLE),
    (c.EXTRA_REVENUE, _DOUBLE),
)


def rules_with(measures: Sequence[str]) -> T.StructType:
    """What `rules` is written with: its contract, then one double for each further measure."""
    return T.StructType([*RULES.fields, *(T.StructField(name, _DOUBLE) for name in measures)])


# What an earlier run's rules must have to be compared with, whatever measures that run knew.
RULE_COUNTS: Final = T.StructType(
    [RULES[name] for name in (c.LEVEL, c.ANTECEDENT, c.CONSEQUENT, c.N_AB, c.N_A, c.N_B, c.N)]
)

RULE_DRIFT: Final = _contract(
    (c.LEVEL, _STRING),
    (c.ANTECEDENT, _STRINGS),
    (c.CONSEQUENT, _STRINGS),
    (c.STATUS, _STRING),
    (c.CONFIDENCE_BEFORE, _DOUBLE),
    (c.CONFIDENCE_AFTER, _DOUBLE),
    (c.Z, _DOUBLE),
    (c.P_VALUE, _DOUBLE),
    (c.SUPPORT_BEFORE, _DOUBLE),
    (c.SUPPORT_AFTER, _DOUBLE),
    (c.SUPPORT_Z, _DOUBLE),
    (c.SUPPORT_P_VALUE, _DOUBLE),
    (c.LIFT_BEFORE, _DOUBLE),
    (c.LIFT_AFTER, _DOUBLE),
    (c.N_AB_BEFORE, _LONG),
    (c.N_A_BEFORE, _LONG),
    (c.N_B_BEFORE, _LONG),
    (c.N_BEFORE, _LONG),
    (c.N_AB_AFTER, _LONG),
    (c.N_A_AFTER, _LONG),
    (c.N_B_AFTER, _LONG),
    (c.N_AFTER, _LONG),
)

ASSOCIATIONS: Final = _contract(
    (c.ITEM_ID, _STRING),
    (c.ITEM_NAME, _STRING),
    (c.NEIGHBOR_ID, _STRING),
    (c.NEIGHBOR_NAME, _STRING),
    (c.N_AB, _LONG),
    (c.N_A, _LONG),
    (c.N_B, _LONG),
    (c.N, _LONG),
    (c.SUPPORT, _DOUBLE),
    (c.CONFIDENCE, _DOUBLE),
    (c.LIFT, _DOUBLE),
    (c.SCORE, _DOUBLE),
    (c.ATTENTION, _DOUBLE),
    (c.STRENGTH, _DOUBLE),
    (c.KIND, _STRING),
    (c.RANK, _INT),
)

CROSS_SELL: Final = _contract(
    (c.ITEM_ID, _STRING),
    (c.ITEM_NAME, _STRING),
    (c.RANK, _INT),
    (c.COMPANION_ID, _STRING),
    (c.COMPANION_NAME, _STRING),
    (c.STRENGTH, _DOUBLE),
    (c.KIND, _STRING),
    (c.N_AB, _LONG),
    (c.CONFIDENCE, _DOUBLE),
    (c.LIFT, _DOUBLE),
    (c.ATTENTION, _DOUBLE),
    (c.EVIDENCE, _STRING),
)

COPURCHASES: Final = _contract(
    (c.ITEM_ID, _STRING), (c.PLACE, _INT), (c.OTHERS, T.ArrayType(_INT)), (c.TOGETHER, T.ArrayType(_LONG))
)  # fmt: skip

OPEN_BASKETS: Final = _contract((c.BASKET_ID, _STRING), (c.PRODUCT_ID, _STRING), (c.CUSTOMER_KEY, _STRING))

RECOMMENDATIONS: Final = _contract(
    (c.BASKET_ID, _STRING), (c.CUSTOMER_KEY, _STRING), (c.RANK, _INT), (c.ITEM_ID, _STRING), (c.ITEM_NAME, _STRING),
    (c.SCORE, _DOUBLE), (c.IS_REPEAT, _BOOL), (c.EVIDENCE, _STRING), (c.METHOD, _STRING),
)  # fmt: skip

RUNS: Final = _contract(
    (c.RUN_ID, _STRING),
    (c.STAGE, _STRING),
    (c.FINGERPRINT, _STRING),
    (c.INPUTS, T.MapType(_STRING, _STRING)),
    (c.ROWS_IN, _LONG),
    (c.ROWS_OUT, T.MapType(_STRING, _LONG)),
    (c.SECONDS, _DOUBLE),
    (c.STATUS, _STRING),
    (c.STARTED_AT, T.TimestampType()),
    (c.MESSAGE, _STRING),
    (c.FIGURES, _STRING),
)

DATA_QUALITY: Final = _contract(
    (c.RUN_ID, _STRING),
    (c.MEASURED_AT, T.TimestampType()),
    (c.SINCE, _DATE),
    (c.UNTIL, _DATE),
    (c.METRIC, _STRING),
    (c.VALUE, _DOUBLE),
    (c.LOW, _DOUBLE),
    (c.HIGH, _DOUBLE),
    (c.ACTION, _STRING),
    (c.OUTCOME, _STRING),
    (c.DETAIL, _STRING),
)


def conform(df: DataFrame, contract: T.StructType, *, table: str) -> DataFrame:
    """Return `df` with exactly the contract's columns, in its order.

    Raises:
        TableContractError: a column is missing or has another type.  Nullability is not
            compared: Spark forgets it when it reads parquet.
    """
    found = {f.name: f.dataType.simpleString() for f in df.schema}
    wanted = {f.name: f.dataType.simpleString() for f in contract}
    wrong = [f"{n}: {t} (found {found.get(n, 'nothing')})" for n, t in wanted.items() if found.get(n) != t]
    if wrong:
        raise TableContractError(
            f"Table '{table}' breaks its contract in {len(wrong)} of {len(wanted)} columns.\n"
            f"  Wanted: {'; '.join(wrong)}\n"
            f"  Table has: {', '.join(f'{n}: {t}' for n, t in sorted(found.items()))}\n"
            f"  Cast or rename them where the table is made; README.md lists every table's columns."
        )
    return df.select(*wanted)
