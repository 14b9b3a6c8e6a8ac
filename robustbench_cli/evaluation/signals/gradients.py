"""Are there gradients at the input, and does the loss go where they point?

At images that are classified right: the share whose input gradient is all zero, of cross-entropy
(zero_ce) and of the logit margin (zero_margin), or not finite (nan). lead: the mean lead of the
label's logit; cross-entropy underflows where it is large. predicted: how far a step of 1/1000 along
the sign of the margin's gradient really moves it, as a share of what the gradient says (median).
Carlini et al. 2019, arXiv 1902.06705; Pintor et al. 2022, arXiv 2106.09947.
Cost: 2 forwards, 2 backwards per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from robustbench_cli.device import seed_everything
from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.signal import Effort, Numbers, Scene, Signal, margin

STEP = 1e-3


@dataclass(kw_only=True)
class Gradients(Signal):
    shared: ClassVar[bool] = True

    def calls(self, scene: Scene, effort: Effort) -> int:
        return 4 if len(scene.right) else 0

    def measure(self, scene: Scene, n: int, effort: Effort) -> Numbers:
        x, labels = scene.first(n)
        x.requires_grad_()
        seed_everything(scene.seed)
        with torch.enable_grad():
            found = scene.network(x)
            ways = [cross_entropy(found, labels, reduction="sum"), margin(found, labels).sum()]
            ce, lead = (_gradient(way, x) for way in ways)
        x = x.detach()
        seed_everything(scene.seed)  # the same draws again, where the network draws
        moved = logits(scene.network, x + STEP * lead.sign())
        gained = margin(moved, labels) - margin(found.detach(), labels)
        promised = STEP * lead.flatten(1).abs().sum(1)
        kept = torch.where(promised > 0, gained / promised.clamp(min=1e-30), 0.0)
        return {
            "zero_ce": _share(ce.flatten(1).abs().amax(1) == 0),
            "zero_margin": _share(lead.flatten(1).abs().amax(1) == 0),
            "nan": _share(~(ce.isfinite() & lead.isfinite()).flatten(1).all(1)),
            "lead": float(-margin(found.detach(), labels).mean()),
            "predicted": float(kept.nan_to_num().median()),
            "n": len(labels),
        }


def _gradient(loss: Tensor, x: Tensor) -> Tensor:
    """Zero where the loss does not depend on x in a way that could be differentiated."""
    if not loss.requires_grad:
        return torch.zeros_like(x)
    (found,) = torch.autograd.grad(loss, x, retain_graph=True, allow_unused=True)
    return torch.zeros_like(x) if found is None else found


def _share(hit: Tensor) -> float:
    return float(hit.float().mean())
