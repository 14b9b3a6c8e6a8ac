"""Classes that are not equally frequent: what each counts in the loss, and accuracy by class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Data, Images, batches
from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.training.hooks import eval_mode

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


def balanced_facts(name: str, model: Model, data: Data, validation: float) -> dict[str, float]:
    """For run.json, where the classes are uneven: balanced accuracy on held-out images; said, too.

    `validation` is the ordinary accuracy there; NaN where none were held out.
    """
    uneven = unevenness(data.train.labels)
    if uneven < UNEVEN or not isfinite(validation):
        return {}
    balanced = balanced_accuracy(model, data.validation)
    _log.warning(
        "%s: balanced accuracy %.1f %% of held-out images, accuracy %.1f %%; the most frequent "
        "class has %.1f times the training images of the least frequent",
        *(name, 100 * balanced, 100 * validation, uneven),
    )
    return {"validation_balanced": balanced}


def balanced_accuracy(model: Model, images: Images, batch_size: int = 1000) -> float:
    """The mean over the classes of the share of their images classified right, in eval mode."""
    right = torch.zeros(len(images), dtype=torch.bool, device=images.labels.device)
    done = 0
    with eval_mode(model), torch.inference_mode():
        for x, labels in batches(images, batch_size, shuffle=False):
            right[done : done + len(x)] = model(x).argmax(1) == labels
            done += len(x)
    known = sorted(set(images.labels.tolist()))
    shares = [right[images.labels == label].float().mean() for label in known]
    return float(torch.stack(shares).mean()) if shares else float("nan")
