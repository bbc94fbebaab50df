import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from basketlens.clean.names import composed, name_hash, plain_name

WORDS = {"frzn": "frozen", "btr": "butter"}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        pytest.param("  OAT   Milk ", "oat milk", id="case-and-space"),
        pytest.param("FRZN PNT BTR", "frozen pnt butter", id="abbreviations-by-whole-word"),
        pytest.param("BTRFLY", "btrfly", id="no-abbreviation-inside-a-word"),
        pytest.param("<b>Caf&eacute;</b> &amp; tea", "café & tea", id="html"),
        pytest.param("5 < 6 oz > 2", "5 < 6 oz > 2", id="not-a-tag"),
        pytest.param("milk\x00\tfat\u200b free", "milk fat free", id="control-and-zero-width"),
        pytest.param("ｍｉｌｋ ①", "milk 1", id="nfkc"),
        pytest.param("sandwiches (", "sandwiches", id="trailing-punctuation"),
        pytest.param("全脂牛奶 1升", "全脂牛奶 1升", id="chinese"),
        pytest.param("حليب كامل", "حليب كامل", id="arabic"),
        pytest.param("👨‍👩‍👧 box", "👨‍👩‍👧 box", id="joined-emoji"),
        pytest.param(" .,- ", "", id="nothing-left"),
    ],
)
def test_plain_name(raw, name):
    assert plain_name(raw, WORDS, 200) == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        pytest.param("one two three four", "one two three", id="at-a-word"),
        pytest.param("one two, three four", "one two, three", id="just-fits"),
        pytest.param("x" * 30, "x" * 15, id="inside-one-long-word"),
    ],
)
def test_long_names_are_cut(raw, name):
    assert plain_name(raw, WORDS, 15) == name


@given(st.text(max_size=60), st.integers(10, 40))
def test_plain_names_are_clean(raw, longest):
    name = plain_name(raw, WORDS, longest)
    assert len(name) <= longest
    assert name == " ".join(name.split())
    assert not any(ord(ch) < 32 for ch in name)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        pytest.param(("milk", "dairy", "own"), "milk, dairy, own brand", id="all"),
        pytest.param(("milk", None, "own"), "milk, own brand", id="empty-part-goes-with-its-comma"),
        pytest.param(("milk", "  ", None), "milk", id="blank-is-empty"),
        pytest.param((None, "dairy", "own"), None, id="no-name-without-the-first-part"),
    ],
)
def test_composed(spark, row, name):
    rows = spark.createDataFrame([row], "type string, category string, brand string")
    value = lambda column: F.when(F.trim(column) != "", F.trim(column))  # noqa: E731
    assert rows.select(composed("{type}, {category}, {brand} brand", value)).first()[0] == name


def test_name_hash_is_sha256(spark):
    import hashlib

    row = spark.createDataFrame([("café",)], "name string").select(name_hash(F.col("name"))).first()
    assert row[0] == hashlib.sha256("café".encode()).hexdigest()[:20]
