"""Product names as plain text: composed from source columns, then written as people say them."""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from basketlens import columns as c

_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_WORD: Final = re.compile(r"[\w&']+")
_SPACE: Final = re.compile(r"\s+")
_JOINERS: Final = "\u200c\u200d"  # emoji and some scripts are built with them
_TRAILING: Final = " \t.,;:-_/\\|*(&"


def composed(template: str, value_of: Callable[[str], Column]) -> Column:
    """The template filled per row, or null when its first part is empty.

    A part (text between commas) whose column is empty is left out.  The first part says what the thing is:
    without it the rest ("grocery, national brand") names nothing.
    """
    first, *others = (_part(text, value_of) for text in template.split(","))
    return F.when(first.isNotNull(), F.concat_ws(", ", first, *others))


def _part(text: str, value_of: Callable[[str], Column]) -> Column:
    """One part: literal text with columns in it; null when a column is null or blank."""
    pieces = _PLACE.split(text.strip())
    # re.split alternates literal, name, literal, name, ...
    parts = [F.lit(piece) if i % 2 == 0 else value_of(piece) for i, piece in enumerate(pieces) if piece]
    return F.concat(*parts) if parts else F.lit(None).cast("string")


def plain_name(raw: str, abbreviations: Mapping[str, str], longest: int) -> str:
    """A name as plain lower-case text; `""` when nothing is left.

    NFKC, HTML entities and tags, control characters, abbreviations by whole word, white space, trailing
    punctuation, and a length cap at a word's end.  Any script survives.
    """
    text = unicodedata.normalize("NFKC", html.unescape(raw))
    text = _TAG.sub(" ", text)
    text = "".join(_visible(ch) for ch in text)
    text = _WORD.sub(lambda word: abbreviations.get(word[0].lower(), word[0]), text)
    text = _SPACE.sub(" ", text).strip().lower().rstrip(_TRAILING)
    if len(text) > longest:
        head = text[: longest + 1]
        text = (head.rpartition(" ")[0] or text[:longest]).rstrip(_TRAILING)
    return text


def _visible(ch: str) -> str:
    kind = unicodedata.category(ch)
    if kind == "Cc":
        return " "
    return "" if kind == "Cf" and ch not in _JOINERS else ch


def with_plain_name(products: DataFrame, *, abbreviations: Mapping[str, str], longest: int) -> DataFrame:
    """Replace `product_name` by its plain form; null when nothing is left.  Hash it for joins."""
    words = {word.lower(): meaning for word, meaning in abbreviations.items()}

    def run(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for names in batches:
            yield names.map(lambda name: plain_name(name, words, longest) or None, na_action="ignore")

    plain: Column = pandas_udf(run, "string")(F.col(c.PRODUCT_NAME))  # type: ignore[call-overload]  # needs Series[Any]
    named = products.withColumn(c.PRODUCT_NAME, plain)
    return named.withColumn(c.NAME_HASH, name_hash(F.col(c.PRODUCT_NAME)))


def name_hash(name: Column) -> Column:
    """80 bits of SHA-256 in hex: for 10 million names the chance of any collision is 4e-11."""
    return F.substring(F.sha2(name, 256), 1, 20)
