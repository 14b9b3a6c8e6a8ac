"""What a network makes of held-out images while it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.data.dataset import Images, batches
from robustbench_cli.models.model import Model
from robustbench_cli.training.hooks import eval_mode

_AT_ONCE = 2**24  # values of the images that are looked at together


@dataclass(frozen=True)
class Validation:
    """Of n images: `labels` (n,), which are classified `right` (n,), and their mean loss.

    The loss is the cross-entropy of the plain labels in nats, whatever training minimised, so that
    methods can be compared. NaN for no images, and for a loss that is not finite.
    """

    labels: Tensor
    right: Tensor
    loss: float

    @property
    def accuracy(self) -> float:
        """The share that is right; NaN for no images."""
        n = len(self.right)
        return int(self.right.sum()) / n if n else float("nan")

    @property
    def balanced(self) -> float:
        """The mean over the classes of the share of their images that is right; NaN for none."""
        known = sorted(set(self.labels.tolist()))
        shares = [self.right[self.labels == label].float().mean() for label in known]
        return float(torch.stack(shares).mean()) if shares else float("nan")


def validate(model: Model, images: Images, batch_size: int = 1000) -> Validation:
    """Look at all of `images` once, in eval mode; fewer than `batch_size` together where they are
    large."""
    batch_size = min(batch_size, max(1, _AT_ONCE // prod(images.shape)))
    right = torch.zeros(len(images), dtype=torch.bool, device=images.labels.device)
    loss, done = torch.zeros((), device=right.device), 0
    with eval_mode(model), torch.inference_mode():
        for x, labels in batches(images, batch_size, shuffle=False):
            logits = model(x)
            right[done : done + len(x)] = logits.argmax(1) == labels
            loss += F.cross_entropy(logits.float(), labels, reduction="sum")
            done += len(x)
    mean = float(loss) / len(images) if len(images) and loss.isfinite() else float("nan")
    return Validation(images.labels, right, mean)
