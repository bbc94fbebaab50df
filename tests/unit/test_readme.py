"""The README names every table and column of the contract, and every setting it shows exists."""

import re
from pathlib import Path

import pytest

from basketlens.tables import CONTRACTS

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_column_of_every_table_is_listed(name):
    [row] = re.findall(rf"^\| `{name}` \|.*$", README, re.MULTILINE)
    listed = set(re.findall(r"\w+", row.split("|")[3]))
    assert [column for column in CONTRACTS[name].names if column not in listed] == []


def test_it_fits_a_page():
    assert len(README.splitlines()) <= 120
