"""Exact epsilons and ranges."""

from __future__ import annotations

import contextlib
import copy
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.epsilon import Eps, eps_range, grid, spell
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import number


def test_an_epsilon_keeps_its_spelling_and_compares_by_value() -> None:
    third, other = Eps.parse("8/255"), Eps.parse("16/510")
    assert third == other and hash(third) == hash(other)
    assert (str(third), str(other)) == ("8/255", "16/510")
    assert Eps.parse("0.03") < third < Eps.parse("0.1")
    assert max(Eps.parse("0.5"), Eps.parse("1/3")).text == "0.5"
    assert float(third) == 8 / 255


def test_epsilons_travel_between_processes() -> None:
    eps = Eps.parse("8/255")
    assert pickle.loads(pickle.dumps(eps)).text == copy.copy(eps).text == "8/255"


def test_a_range_contains_both_ends() -> None:
    values = eps_range("0:0.5:0.025")
    assert (len(values), str(values[0]), str(values[-1])) == (21, "0", "0.5")
    assert [str(e) for e in eps_range("0:16/255:4/255")] == [
        "0",
        "4/255",
        "8/255",
        "12/255",
        "16/255",
    ]
    assert [str(e) for e in eps_range("0.1:0.1:1")] == ["0.1"]


def test_a_grid_is_sorted_and_has_each_value_once() -> None:
    values = grid(["0.1,8/255", "0"], ["0:0.2:0.1"])
    assert [str(e) for e in values] == ["0", "8/255", "0.1", "0.2"]
    assert grid() == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0:0.5", "is no range; write START:STOP:STEP"),
        ("0:1:2:3", "is no range"),
        ("0:0.5:0", "needs 0 <= START <= STOP and STEP > 0"),
        ("0:0.5:-0.1", "STEP > 0"),
        ("0.5:0:0.1", "START <= STOP"),
        ("-0.1:0.5:0.1", "0 <= START"),
        ("0:0.5:0.3", "stop at 0.3 or 0.6"),
        ("0:1:0.0001", "has 10001 values; expected at most 1001"),
        ("0:1e99:1e-99", "expected at most"),
        ("0:x:0.1", "'x' is no number"),
        ("::", "is no number"),
    ],
)
def test_a_range_that_cannot_be_meant(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        eps_range(text)


@pytest.mark.parametrize("text", ["", " ", ",", "0.1,,0.2"])
def test_no_epsilon_where_one_was_promised(text: str) -> None:
    with pytest.raises(UsageError, match="lacks an epsilon; write them like"):
        grid([text])
    assert grid(["0.1,"]) == grid(["0.1"])


def test_a_negative_epsilon() -> None:
    with pytest.raises(UsageError, match="epsilon -8/255 is negative; expected 0 or more"):
        Eps.parse("-8/255")


# --- properties ---

SMALL = st.fractions(0, 10, max_denominator=10**6)
STEPS = st.one_of(
    st.builds(Fraction, st.integers(1, 300), st.just(255)),
    st.builds(lambda k, n: Fraction(k, 10**n), st.integers(1, 10**6), st.integers(0, 12)),
)


@given(st.integers(0, 20), STEPS, st.integers(0, 200))
def test_ranges_are_exact(start: int, step: Fraction, count: int) -> None:
    text = ":".join(spell(value) for value in (start * step, (start + count) * step, step))
    values = eps_range(text)
    assert [e.value for e in values] == [(start + i) * step for i in range(count + 1)]
    assert all(number(e.text) == e.value for e in values), "a spelling drifted"
    assert len({e.text for e in values}) == count + 1


@given(st.lists(SMALL, max_size=20))
def test_order_is_that_of_the_values(values: list[Fraction]) -> None:
    found = [Eps(value, str(value)) for value in values]
    assert [e.value for e in sorted(found)] == sorted(values)
    assert len(set(found)) == len(set(values))


@given(st.integers(0, 10**30), st.integers(0, 30))
def test_decimals_are_spelled_without_drift(k: int, digits: int) -> None:
    value = Fraction(k, 10**digits)
    assert Fraction(spell(value)) == value


def test_long_decimals_do_not_pass_through_floats() -> None:
    text = "0.1234567890123456789012345"
    assert str(eps_range(f"{text}:{text}:1")[0]) == text


@given(st.text(alphabet="0123456789.:/e+-, x٣\n", max_size=40))
def test_arbitrary_text_is_a_range_or_a_usage_error(text: str) -> None:
    for read in (Eps.parse, eps_range, lambda t: grid([t]), lambda t: grid([], [t])):
        with contextlib.suppress(UsageError):
            read(text)


@pytest.mark.parametrize(
    "text",
    ["0:1e99:1e-99", "0:1.5e-99:0.5e-99", "0:" + "9" * 1000 + ":1", "1e99:1e99:1", "0:1/7:1/7"],
    ids=lambda text: text[:14],
)
def test_extreme_ranges_end_quickly(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert all(number(e.text) == e.value for e in eps_range(text))
