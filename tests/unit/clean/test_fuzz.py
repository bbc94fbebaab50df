"""No input makes `clean` crash or lose a row; `./submit.sh bench fuzz` does the same with 10,000 rows."""

from tests import fuzz


def test_no_row_is_lost_whatever_it_holds(memory_io, key_file):
    rows = fuzz.drawn(fuzz.ROWS, examples=200, number=1)
    assert len(rows) >= 150  # hypothesis leaves out what it has drawn before
    fuzz.check(memory_io, rows, key_file)
