"""Batches shrink when the memory is too small."""

from __future__ import annotations

import pytest
import torch

from robustbench_cli.errors import DeviceMemoryError, UsageError
from robustbench_cli.evaluation.throughput.batches import Batches

CPU = torch.device("cpu")


def too_big(limit: int, part: slice) -> range:
    if part.stop - part.start > limit:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return range(part.start, part.stop)


def test_halves_until_it_fits_and_says_so() -> None:
    batches = Batches(40, (1, 8, 8), CPU)
    parts = batches.map(50, lambda part: too_big(12, part))
    assert [i for part in parts for i in part] == list(range(50))
    assert batches.size == 10
    assert batches.notes == [
        "out of memory with 40 images at once; went on with 20",
        "out of memory with 20 images at once; went on with 10",
    ]


def test_gives_up_at_one_image() -> None:
    with pytest.raises(DeviceMemoryError, match="out of memory with a single image"):
        Batches(4, (1, 8, 8), CPU).map(4, lambda part: too_big(0, part))


def test_size_follows_the_images() -> None:
    small, large = (Batches(None, (3, s, s), CPU).size for s in (8, 224))
    assert small > large >= 1
    with pytest.raises(UsageError, match="--batch-size 0"):
        Batches(0, (1, 8, 8), CPU)


def test_wider_where_nobody_chose_the_size_and_with_the_same_notes() -> None:
    chosen, guessed = (Batches(size, (3, 32, 32), CPU) for size in (10, None))
    assert chosen.wider().size == 10
    wide = guessed.wider()
    assert wide.size == 4 * guessed.size and wide.notes is guessed.notes
