"""Mix the hidden activations of pairs of images, at a layer drawn anew for each batch.

Verma et al., "Manifold Mixup", ICML 2019, arXiv 1806.05236. k is drawn uniformly from the first
`depth` stages (0 is the image; on residual networks 1 and 2 are the outputs of residual stages 1
and 2, the paper's set); h̃_k = λh_k + (1-λ)h_k[π], labels likewise, λ ~ Beta(α, α). Gradients flow
through both operands. The authors' code minimises a binary cross entropy: --loss bce; here the
default is cross entropy, as in the paper's text. Expect high FGSM accuracy and almost none under
PGD: that is the published picture, not robustness.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import torch

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import editing
from robustbench_cli.training.method import Method, Step
from robustbench_cli.training.mixing.draws import share


@dataclass(kw_only=True)
class ManifoldMixup(Method):
    """Opens one edit around the training forward; attacks see the plain network."""

    resamples: ClassVar[bool] = True
    alpha: float = param(2.0, "both parameters of the Beta distribution of λ", low=0)
    depth: int = param(3, "mix before one of the first `depth` stages; 1 is input mixup", low=1)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        keep = share(self.alpha)
        order = torch.randperm(len(batch), device=batch.x.device)
        stage = random.choice(model.stages[: self.depth])
        with editing(stage, lambda h: torch.lerp(h[order], h, keep)):
            return rest(model, batch.replace(y=torch.lerp(batch.y[order], batch.y, keep)))
