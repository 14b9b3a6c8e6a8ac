"""Cross entropy on clean images, plus how far an attack can drive the prediction away.

Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy", ICML 2019,
arXiv 1901.08573. CE(f(x), y) + β·mean_b KL(p(x) ‖ p(x')), gradients through both; x' maximises the
same divergence by projected ascent from x + 0.001·N(0, I), since the gradient at x itself is 0.
The authors: ε 0.031, 10 steps of 0.007, β = 6 on CIFAR-10; ε 0.3, 40 steps of 0.01, β = 1 on MNIST;
eval-mode attack. β = 6 is the default except on MNIST. They recompute p(x) in every step of the
attack, here it is computed once; they do not clip the start to [0, 1]. β = 0 is plain training.
Cost per step: steps+3 forwards, steps+2 backwards (theirs: 2·steps+3 forwards).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Adversarial, attacking
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step


@dataclass(kw_only=True)
class Trades(Adversarial):
    """Compares the prediction on each image with that on its worst neighbour."""

    compares: ClassVar[bool] = True
    beta: float | None = param(
        None, "weight of the divergence; none: 1 on MNIST, 6 elsewhere", low=0
    )

    def adapt(self, dataset: Dataset) -> None:
        super().adapt(dataset)
        if self.beta is None:
            self.beta = 1.0 if dataset.name == "mnist" else 6.0

    def start(self, x: Tensor, eps: float) -> Tensor:
        return 0.001 * torch.randn_like(x)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        if self.beta == 0:
            return rest(model, batch)
        with attacking(model, self.attack_bn), torch.no_grad():
            anchor = _log_softmax(model(batch.x))
        x = self.perturb(model, batch.x, lambda logits: divergence(anchor, _log_softmax(logits)))
        clean, moved = rest(model, batch), rest(model, batch.replace(x=x))
        gap = divergence(_log_softmax(clean.logits), _log_softmax(moved.logits))
        beta = 6.0 if self.beta is None else self.beta
        return clean._replace(loss=clean.loss + beta * gap)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """mean_b Σ_c p (log p - log q), from log probabilities (N, classes)."""
    return F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.float().log_softmax(1)
