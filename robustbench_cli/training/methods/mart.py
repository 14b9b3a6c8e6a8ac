"""Adversarial training that presses hardest where the clean prediction is wrong.

Wang et al., "Improving Adversarial Robustness Requires Revisiting Misclassified Examples", ICLR
2020. BCE(p', y) + β·mean_b KL(p ‖ p')·(1-p_y), BCE = -log p'_y - log(1.0001 - max_{c≠y} p'_c); p
are clean and p' attacked probabilities, gradients flow through all of them; x' maximises cross
entropy by projected ascent from x + 0.001·N(0, I), in eval mode. β is 6 in the authors' function
and their wide network's script, 5 in their ResNet-18's. Their 1e-12 inside logarithms is not needed
here. A soft label stands for the mean over its classes of the formula for each.
Cost per step: steps+2 forwards and backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy


@dataclass(kw_only=True)
class Mart(Adversarial):
    """Compares clean and attacked predictions, weighted by how wrong the clean one is."""

    compares: ClassVar[bool] = True
    own_loss: ClassVar[bool] = True
    beta: float = param(6.0, "weight of the divergence", low=0)

    def start(self, x: Tensor, eps: float) -> Tensor:
        return 0.001 * torch.randn_like(x)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        x = self.perturb(model, batch.x, lambda logits: cross_entropy(logits, batch.y))
        clean, attacked = rest(model, batch), rest(model, batch.replace(x=x))
        # -log p'_y is the attacked batch's ordinary loss
        extra = boosted_margin(attacked.logits, batch.y)
        gap = weighted_divergence(clean.logits, attacked.logits, batch.y)
        return clean._replace(loss=attacked.loss + extra + self.beta * gap)


def boosted_margin(logits: Tensor, y: Tensor) -> Tensor:
    """mean_b Σ_k y_k · -log(1.0001 - max_{c≠k} p_c); both (N, classes)."""
    p = logits.float().softmax(1)
    best, order = p.topk(2, 1)
    rival = best[:, :1].expand_as(p).scatter(1, order[:, :1], best[:, 1:])
    return -(y * (1.0001 - rival).log()).sum(1).mean()


def weighted_divergence(logits: Tensor, attacked: Tensor, y: Tensor) -> Tensor:
    """mean_b KL(p ‖ p')·(1-p_y); all (N, classes)."""
    log_p, log_q = logits.float().log_softmax(1), attacked.float().log_softmax(1)
    p = log_p.exp()
    return ((p * (log_p - log_q)).sum(1) * (1 - (p * y).sum(1))).mean()
