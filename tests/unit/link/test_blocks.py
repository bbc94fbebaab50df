import ast
from pathlib import Path

import pytest

from basketlens.link import blocks
from basketlens.link.blocks import block_count, vectors_of


@pytest.mark.parametrize(("items", "query_block", "cores", "blocks"), [
    pytest.param(17_460, 4096, 2, 6, id="whole-rounds-of-cores"),
    pytest.param(100, 4096, 8, 8, id="all-cores-work"),
    pytest.param(3, 4096, 8, 3, id="no-more-blocks-than-items"),
    pytest.param(0, 4096, 8, 1, id="no-items"),
    pytest.param(8192, 4096, 2, 2, id="fits-exactly"),
])  # fmt: skip
def test_block_count(items, query_block, cores, blocks):
    assert block_count(items, query_block=query_block, cores=cores) == blocks


ITEMS = "item_id string, level string, item_name string, category string, department string, lines long"


@pytest.mark.parametrize(("level", "wanted"), [
    pytest.param("name", {"n1": ([1.0], True), "n2": ([2.0], False), "n3": (None, True)}, id="name-hash-is-the-id"),
    pytest.param("product", {"p1": ([1.0], True), "p2": ([1.0], True), "p9": (None, True)}, id="products-share-a-name"),
])  # fmt: skip
def test_vectors_and_who_was_sold(spark, level, wanted):
    items = spark.createDataFrame(
        [
            ("n1", "name", "a", None, None, 3), ("n2", "name", "b", None, None, 0), ("n3", "name", "c", None, None, 1),
            ("p1", "product", "a", None, None, 1), ("p2", "product", "a", None, None, 2), ("p9", "product", "z", None, None, 2),
            ("dairy", "category", "dairy", None, None, 9),
        ],
        ITEMS,
    )  # fmt: skip
    products = spark.createDataFrame(
        [("p1", "n1"), ("p2", "n1"), ("p3", "n2")], "product_id string, name_hash string"
    )
    embeddings = spark.createDataFrame(
        [("n1", [1.0]), ("n2", [2.0])], "name_hash string, embedding array<float>"
    )
    found = vectors_of(items, products, embeddings, level=level).collect()
    assert {r.item_id: (r.embedding, r.is_sold) for r in found} == wanted


@pytest.mark.parametrize(
    "path", sorted(Path(blocks.__file__).parent.glob("*.py")), ids=lambda path: path.name
)
def test_nothing_is_bound_to_classic_spark(path):
    """Over Spark Connect (3.5) columns and frames are of other classes: no method may be taken off the classic ones."""
    found = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("Column", "DataFrame", "SparkSession")
    ]
    assert found == []
