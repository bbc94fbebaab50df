"""What the values of `clean.columns` and its kind name: a source column, or an expression over source columns.

A value that starts with "=" is a Spark SQL expression.  `sources.py` reads it into a column that bears the whole
text as its name, so that whoever asks for a mapped column need not know which of the two it is.
"""

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

_MARK: Final = "="


def is_expression(source: str) -> bool:
    """Whether a mapped value is an expression rather than the name of a column."""
    return source.startswith(_MARK)


def expression(source: str) -> str:
    """The SQL of an expression."""
    return source.removeprefix(_MARK).strip()


def quoted(source: str) -> str:
    """A mapped value as an identifier of Spark SQL, whatever it holds: dots, spaces, backticks."""
    return f"`{source.replace('`', '``')}`"


def source_column(source: str) -> Column:
    """The column of a mapped value, in rows that `sources.read_source` returned."""
    return F.col(quoted(source))
