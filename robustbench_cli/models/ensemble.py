"""Several networks as one: the mean of what they say of an image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

Mean = Literal["logits", "probabilities"]


class Ensemble(nn.Module):
    """x (N, C, H, W) in [0, 1] -> logits (N, classes), through every member.

    `mean`: of the members' logits; or of their probabilities p, whose logarithm is then the
    answer, so that its softmax is mean p.
    """

    def __init__(self, members: Iterable[nn.Module], mean: Mean = "logits") -> None:
        super().__init__()
        self.members, self.mean = nn.ModuleList(members), mean

    def forward(self, x: Tensor) -> Tensor:
        answers = torch.stack([member(x) for member in self.members])
        if self.mean == "logits":
            return answers.mean(0)
        return answers.log_softmax(2).logsumexp(0) - math.log(len(answers))
