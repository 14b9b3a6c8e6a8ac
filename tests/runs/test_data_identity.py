"""What has changed about a data set is named."""

from __future__ import annotations

from typing import Any

import pytest

from robustbench_cli.errors import RunError
from robustbench_cli.runs.data_identity import differences, refuse_mixed

KNOWN: dict[str, Any] = {"classes": ["cat", "dog"], "shape": [3, 8, 8], "train_size": 9}
KNOWN |= {"train_digest": "a", "test_digest": "b"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"classes": ["cat", "wolf"]}, ["classes without dog and with wolf"]),
        ({"classes": ["dog", "cat"]}, ["the same classes in another order"]),
        ({"shape": [1, 8, 8]}, ["images of 3x8x8, now 1x8x8"]),
        ({"train_size": 8, "train_digest": "c"}, ["9 training images, now 8"]),
        ({"train_digest": "c"}, ["other training images"]),
        ({"test_digest": "c", "train_digest": "d"}, ["other training images", "other test images"]),
    ],
)
def test_differences_are_named(change: dict[str, Any], words: list[str]) -> None:
    assert differences(KNOWN, KNOWN | change) == words


def test_what_one_side_does_not_know_is_no_difference() -> None:
    assert differences({"classes": ["cat"]}, {"test_digest": "b"}) == []


def test_two_runs_of_one_spec_and_other_images_are_not_reported_together() -> None:
    other = KNOWN | {"test_digest": "c"}
    refuse_mixed([("a", "mnist", KNOWN), ("b", "digits", other), ("c", "mnist", {})])
    seeds = KNOWN | {"train_digest": "c"}  # another seed draws another part
    refuse_mixed([("a", "mnist", KNOWN), ("b", "mnist", seeds)])
    with pytest.raises(RunError, match=r"a and b are both of mnist, .* other test images"):
        refuse_mixed([("a", "mnist", KNOWN), ("b", "mnist", other)])
