"""Which readings of a file remain, by which of their answers are right; and whether it matters."""

from __future__ import annotations

import numpy as np
import pytest

from robustbench_cli.models.guessing import (
    CLEAN,
    Guess,
    Judged,
    Seen,
    ahead,
    near_chance,
    other_order,
    possible,
)

N = 2000


def right(wrong: int, n: int = N) -> np.ndarray:
    """The first `wrong` of n images are misclassified."""
    return np.arange(n) >= wrong


def judged(eps: str, *accuracy: float, n: int = 1000) -> Judged:
    return Judged("linf", eps, n, "linf-pgd:steps=10", 500, accuracy)


def guess(*more: Judged, rival: bool = True) -> Guess:
    seen = (Seen("--normalise none", 990, 1000, True), Seen("--normalise data", 985, 1000, rival))
    return Guess(seen, more)


def test_far_more_mistakes_rule_a_reading_out() -> None:
    assert possible([right(20), right(200)]) == [0]
    assert possible([right(200), right(20)]) == [1]


def test_a_small_lead_rules_nothing_out_however_sure_it_is() -> None:
    """Robust networks gain from contrast: 30 % of mistakes against 28 %, each time the same."""
    assert possible([right(600), right(560)]) == [1, 0]


def test_a_small_lead_is_a_lead_where_it_is_no_chance() -> None:
    assert ahead(right(560), right(600)) and not ahead(right(600), right(560))
    assert not ahead(right(598), right(600))


def test_few_images_rule_nothing_out_however_large_the_lead() -> None:
    assert possible([right(0, 20), right(8, 20)]) == [0, 1]
    assert possible([right(0, 200), right(80, 200)]) == [0]


def test_a_reading_that_was_out_early_is_compared_on_what_it_saw() -> None:
    assert possible([right(250, 256), right(20)]) == [1]
    assert possible([right(10, 256), right(20)]) == [1, 0], "more images come first"


def test_of_equal_readings_the_first_is_likeliest() -> None:
    assert possible([right(7), right(7), right(6)]) == [2, 0, 1]


@pytest.mark.parametrize(("share", "chance"), [(0.1, True), (0.13, True), (0.3, False)])
def test_who_draws_lots_classifies_nothing(share: float, chance: bool) -> None:
    assert near_chance(right(round(N * (1 - share))), 10) is chance


def test_a_gap_within_the_interval_of_the_number_is_a_tie() -> None:
    assert guess(judged("0.3", 0.50, 0.52)).matters is None  # Wilson at 1000: 3.1 points
    assert guess(judged("0.3", 0.50, 0.55)).matters is not None
    assert guess(judged("0.3", 0.50, 0.52, n=10_000)).matters is not None
    assert guess(judged("0.3", 0.0, 0.0, n=10_000)).matters is None


def test_the_question_shows_every_number_where_they_differ_most() -> None:
    text = guess(judged("0.1", 0.9, 0.8), judged("0.3", 0.766, 0.114)).question()
    assert "decides accuracy at 0.3" in text and text.isprintable()
    assert "--normalise none: 99.0% of 1000 training images right, 76.6% after linf-pgd" in text
    assert "--normalise data: 98.5%, 11.4%; or --normalise guess" in text


def test_the_clean_accuracy_is_a_number_too() -> None:
    """Nothing withstands the attack under either reading; one of them is right less often."""
    clean = Judged("", "0", 10_000, CLEAN, 5000, (0.707, 0.676))
    asked = guess(judged("0.3", 0.0, 0.0), clean)
    assert asked.matters is clean
    assert asked.question() == (
        "how it sees images is not said, and decides clean accuracy; type --normalise none: 99.0% "
        "of 1000 training images right; or --normalise data: 98.5%; or --normalise guess for the "
        "first"
    )
    assert asked.why().endswith("data 98.5%, which matters: 70.7% and 67.6%")


def test_a_question_stays_short() -> None:
    seen = tuple(Seen(f"--normalise {i}", 90, 100, True) for i in range(9))
    text = Guess(seen, (judged("0.1", *(0.1 * i for i in range(9))),)).question()
    assert "--normalise 4: 90.0%, 40.0%; or 4 others; or --normalise guess" in text


def test_a_tie_is_named() -> None:
    assert guess(judged("8/255", 0.0, 0.001)).why() == (
        "99.0% of 1000 training images right; data 98.5%, which does not matter: "
        "0.0% and 0.1% after linf-pgd:steps=10 at 8/255"
    )
    assert guess(rival=False).why() == "99.0% of 1000 training images right; data 98.5%"


def test_classes_in_another_order_are_found() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 400)
    theirs = np.array([0, 2, 3, 1])  # output that they give to class 0, 1, 2, 3
    found = other_order(theirs[labels], labels, 4, theirs[labels] == labels)
    assert found == ({1: 3, 2: 1, 3: 2}, 1.0)


def test_what_classifies_nothing_has_no_order() -> None:
    """A random network answers 0 for most of class 1, and anything for the others."""
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 10, 4000), rng.integers(0, 10, 4000)
    answers[labels == 1] = 0
    assert other_order(answers, labels, 10, answers == labels) is None


def test_chance_finds_no_other_order() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        answers, labels = rng.integers(0, 10, (2, 300))
        assert other_order(answers, labels, 10, answers == labels) is None
        answers = np.where(rng.random(300) < 0.3, answers, labels)
        assert other_order(answers, labels, 10, answers == labels) is None
