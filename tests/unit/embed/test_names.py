import numpy as np
import pyarrow as pa
import pytest

from basketlens.embed.names import as_lists, names_of, rooms, with_is_new

PRODUCTS = "product_id string, product_name string, name_hash string"


def test_one_row_a_name_and_one_for_those_without(spark):
    rows = [("1", "milk", "m"), ("2", "milk", "m"), ("3", "tea", "t"), ("4", None, "n"), ("5", None, None)]
    found = names_of(spark.createDataFrame(rows, PRODUCTS)).collect()
    assert {tuple(r) for r in found} == {("m", "milk", 2), ("t", "tea", 1), (None, None, 2)}


def test_new_is_what_has_no_vector(spark):
    names = spark.createDataFrame(
        [("m", "milk"), ("t", "tea"), (None, None)], "name_hash string, product_name string"
    )
    embedded = spark.createDataFrame(
        [("m", [1.0]), ("gone", [1.0])], "name_hash string, embedding array<float>"
    )
    assert {r.name_hash: r.is_new for r in with_is_new(names, embedded).collect()} == {
        "m": False,
        "t": True,
        None: False,
    }


@pytest.mark.parametrize(("sizes", "room", "wanted"), [
    pytest.param([], 3, [], id="nothing"),
    pytest.param([0, 0], 3, [], id="empty-batches"),
    pytest.param([2, 2, 3], 3, [3, 3, 1], id="across-batches"),
    pytest.param([7], 3, [3, 3, 1], id="cut"),
    pytest.param([3, 3], 3, [3, 3], id="exact"),
])  # fmt: skip
def test_rooms(sizes, room, wanted):
    starts = np.cumsum([0, *sizes])
    batches = [
        pa.RecordBatch.from_pydict({"x": list(range(s, s + n))}) for s, n in zip(starts, sizes, strict=False)
    ]
    batches = [b.cast(pa.schema([("x", pa.int64())])) for b in batches]
    found = list(rooms(iter(batches), room))
    assert [len(t) for t in found] == wanted
    assert [x for t in found for x in t["x"].to_pylist()] == list(range(sum(sizes)))


def test_as_lists():
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert as_lists(vectors, [True] * 3).to_pylist() == [[0, 1], [2, 3], [4, 5]]
    assert as_lists(vectors, [True, False, True]).to_pylist() == [[0, 1], None, [4, 5]]
    assert as_lists(np.empty((0, 4), np.float32), []).to_pylist() == []
