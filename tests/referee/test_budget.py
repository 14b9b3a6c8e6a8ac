"""What a budget buys, by a clock that is made up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.errors import UsageError
from robustbench_cli.referee.budget import choose
from robustbench_cli.referee.protocol import FULL, LEVELS, Level

PACE = {"quick": 0.1, "light": 0.3, "medium": 2.0, "full": 9.0}


def clock(level: Level, n: int, speed: float = 1.0) -> float:
    """Seconds: so many for an image at each strength, and a start that costs something, too."""
    return (PACE[level.name] * n + 3) / speed


def bought(minutes: float, of: int = 10_000, speed: float = 1.0) -> tuple[int, int] | None:
    """(strength, images); None where nothing can be had."""
    try:
        level, n = choose(lambda level, n: clock(level, n, speed), of, seconds=60 * minutes)
    except UsageError:
        return None
    return LEVELS.index(level), n


@given(
    less=st.floats(0.01, 5000),
    more=st.floats(1, 50),
    of=st.integers(1, 20_000),
    speed=st.floats(0.01, 100),
)
def test_more_minutes_never_buy_fewer_images_nor_weaker_attacks(
    less: float, more: float, of: int, speed: float
) -> None:
    small, large = bought(less, of, speed), bought(less * more, of, speed)
    if small is not None:
        assert large is not None
        assert large[0] >= small[0] and large[1] >= small[1]


@given(minutes=st.floats(0.05, 5000), of=st.integers(1, 20_000))
def test_what_is_bought_costs_no_more_than_the_budget(minutes: float, of: int) -> None:
    if (found := bought(minutes, of)) is not None:
        assert clock(LEVELS[found[0]], found[1]) <= 60 * minutes
        assert 1 <= found[1] <= of


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        (0.2, ("quick", 90)),
        (0.5, ("quick", 200)),  # and 200 images under light attacks would take 63 s
        (1.05, ("light", 200)),
        (2, ("light", 390)),
        (20, ("medium", 590)),
        (60, ("medium", 1000)),
        (200, ("full", 1300)),
        (10_000, ("full", 10_000)),
    ],
)
def test_images_first_then_strength_in_turn(minutes: float, found: tuple[str, int]) -> None:
    level, n = bought(minutes) or (-1, -1)
    assert (LEVELS[level].name, n) == found


def test_without_a_budget_everything_is_done() -> None:
    assert choose(clock, 10_000) == (FULL, 10_000)
    assert choose(clock, 10_000, samples=64) == (FULL, 64)
    assert choose(clock, 40, samples=64) == (FULL, 40)


def test_a_number_of_images_that_was_asked_for_stays() -> None:
    for minutes, strength in ((0.6, "quick"), (1.5, "light"), (10, "medium"), (100, "full")):
        level, n = choose(clock, 10_000, samples=123, seconds=60 * minutes)
        assert (level.name, n) == (strength, 123)


def test_too_little_is_said_with_what_would_do() -> None:
    with pytest.raises(UsageError, match=r"--minutes 0\.1 is too little here") as refused:
        choose(clock, 10_000, seconds=6)
    assert "on 50 images take about 0.13 minutes; type --minutes 0.2" in str(refused.value)
    assert bought(0.2) is not None


def test_levels_meet_where_one_ends_and_the_next_begins() -> None:
    for lower, upper in pairwise(LEVELS):
        assert lower.most == upper.fewest
    assert FULL.most is None and FULL.weaker() == []
