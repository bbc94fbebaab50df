import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketlens.report.plot import axis

POSITIVE = st.floats(min_value=1e-6, max_value=1e9)


@given(st.lists(POSITIVE, min_size=1), st.booleans())
def test_every_value_and_tick_lies_inside_the_axis(values, is_log):
    line = axis(values, start=50, end=700, include=1.0, is_log=is_log)
    assert all(50 <= line.place(value) <= 700 for value in [*values, 1.0])
    assert all(50 <= tick.at <= 700 for tick in line.ticks())


@given(st.lists(POSITIVE, min_size=1), st.booleans())
def test_ticks_are_few_and_labels_differ(values, is_log):
    labels = [tick.label for tick in axis(values, start=0, end=100, include=1.0, is_log=is_log).ticks()]
    assert len(labels) <= 12
    assert len(set(labels)) == len(labels)


@given(POSITIVE, POSITIVE)
def test_larger_values_lie_further_along(one, other):
    line = axis([one, other], start=400, end=10, include=1.0)  # upwards, as in an SVG
    low, high = sorted([one, other])
    assert line.place(low) >= line.place(high)


@pytest.mark.parametrize(("values", "labels"), [
    pytest.param([0.5, 30.0], ["0.5", "1", "2", "5", "10", "20"], id="wide-is-logarithmic"),
    pytest.param([0.98, 1.04], ["0.98", "0.99", "1", "1.01", "1.02", "1.03", "1.04"], id="narrow-is-linear"),
    pytest.param([0.001, 2000.0], ["0.001", "0.01", "0.1", "1", "10", "100", "1,000"], id="decades-when-very-wide"),
])  # fmt: skip
def test_ticks(values, labels):
    assert [tick.label for tick in axis(values, start=0, end=100, include=1.0).ticks()] == labels
