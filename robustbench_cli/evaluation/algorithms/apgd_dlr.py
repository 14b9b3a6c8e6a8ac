"""The difference of logits ratio, which neither a scale nor a shift of the logits changes.

From the paper of Auto-PGD. Large logits cannot flatten it, as they flatten the cross-entropy.

    loss = (max_{i != y} z_i - z_y) / (z_(1) - z_(3)),   z_(k) the k-th largest logit

Needs three classes or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .apgd import AutoPGD
from .losses import Loss, dlr


@dataclass(kw_only=True)
class RatioAutoPGD(AutoPGD):
    """Its variants differ by norm."""

    loss: ClassVar[Loss] = dlr
    classes: ClassVar[int] = 3
