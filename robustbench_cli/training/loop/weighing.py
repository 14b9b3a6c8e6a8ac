"""Classes that are not equally frequent: what each counts in the loss, and balanced accuracy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor

from robustbench_cli.errors import UsageError

from .validating import Validation

_log = logging.getLogger(__name__)
UNEVEN = 2.0
"""Of the most to the least frequent class: from here on balanced accuracy is another number."""


def class_weights(text: str | None, labels: Tensor, classes: Sequence[str]) -> Tensor | None:
    """(classes,), what each class counts in the loss; None: all the same.

    `text` is a list of numbers, or ``balanced``: n / (classes * images of the class), so that all
    classes together count the same, and an image 1 on average (King & Zeng, Political Analysis
    2001; scikit-learn's ``class_weight``). `labels` (n,) are those of the training images.

    Raises:
        UsageError: not one number for each class, or a class of which there is no image.
    """
    if text is None:
        return None
    if text == "balanced":
        counts = torch.bincount(labels, minlength=len(classes)).float()
        if absent := [classes[int(i)] for i in (counts == 0).nonzero()]:
            raise UsageError(
                f"--class-weights balanced: no training image of {', '.join(absent[:5])}; "
                "type numbers, one for each class"
            )
        return len(labels) / (len(classes) * counts)
    numbers = list(map(float, text.split(",")))
    if len(numbers) != len(classes):
        raise UsageError(
            f"--class-weights has {len(numbers)} numbers for {len(classes)} classes: "
            f"{', '.join(classes[:10])}{', ...' * (len(classes) > 10)}"
        )
    return torch.tensor(numbers, device=labels.device)


def unevenness(labels: Tensor) -> float:
    """How often the most frequent class comes for one image of the least frequent that is there."""
    counts = torch.bincount(labels)
    return float(counts.max() / counts[counts > 0].min()) if len(labels) else 1.0


def balanced_facts(name: str, held: Validation, labels: Tensor) -> dict[str, float]:
    """For run.json, where the classes are uneven: balanced accuracy on held-out images; said, too.

    `labels` (n,) are those of the training images.
    """
    uneven = unevenness(labels)
    if uneven < UNEVEN or not isfinite(held.accuracy):
        return {}
    _log.warning(
        "%s: balanced accuracy %.1f %% of held-out images, accuracy %.1f %%; the most frequent "
        "class has %.1f times the training images of the least frequent",
        *(name, 100 * held.balanced, 100 * held.accuracy, uneven),
    )
    return {"validation_balanced": held.balanced}
