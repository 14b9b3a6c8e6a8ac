"""Train on clean and adversarial images at once, each with batch norms of its own.

Xie et al., "Adversarial Examples Improve Image Recognition", CVPR 2020, arXiv 1911.09665.
CE(f_main(x), y) + CE(f_aux(x'), y): every batch norm is duplicated (weights and statistics), all
else is shared, x' is attacked through the auxiliary norms, and the main ones are deployed. The
paper: ε = 1 to 4 /255, ε·255 + 1 steps of 1/255. `join=mean` halves the sum, as a mean over clean
and adversarial images together does; `target=random` attacks towards a random other class, as in
the ImageNet code, instead of away from the label. Batches are never split by position: each half is
a forward of its own, so that a method standing later may reorder it.
Cost per step: steps+2 forwards and backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import replace_modules
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy


class DualBatchNorm(nn.Module):
    """A batch norm and its auxiliary copy."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.main, self.aux, self.use_aux = norm, deepcopy(norm), False

    def forward(self, x: Tensor) -> Tensor:
        norm = self.aux if self.use_aux else self.main
        return norm(x)  # type: ignore[no-any-return]


@contextmanager
def auxiliary(model: nn.Module) -> Iterator[None]:
    """While open, the auxiliary norms work."""
    norms = [m for m in model.modules() if isinstance(m, DualBatchNorm)]
    for norm in norms:
        norm.use_aux = True
    try:
        yield
    finally:
        for norm in norms:
            norm.use_aux = False


@dataclass(kw_only=True)
class AdvProp(Adversarial):
    """Adds the loss on adversarial images, seen through their own norms."""

    steps: int = param(5, "gradient steps per batch", low=1)
    join: Literal["sum", "mean"] = param("sum", "how the two losses are joined")
    target: Literal["none", "random"] = param("none", "class that the attack aims at")

    def install(self, model: Model) -> None:
        self.needs(replace_modules(model, nn.BatchNorm2d, DualBatchNorm), "batch norm to double")

    def deploy(self, model: Model) -> None:
        replace_modules(model, DualBatchNorm, lambda dual: dual.main)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        clean = rest(model, batch)
        with auxiliary(model):
            x = self.perturb(model, batch.x, self._loss(batch.y))
            adversarial = rest(model, batch.replace(x=x))
        loss = clean.loss + adversarial.loss
        return clean._replace(loss=loss / 2 if self.join == "mean" else loss)

    def _loss(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """What the attack climbs."""
        if self.target == "none":
            return lambda logits: cross_entropy(logits, y)
        classes = y.shape[1]
        step = torch.randint(1, classes, (len(y),), device=y.device)
        aim = F.one_hot((y.argmax(1) + step) % classes, classes).to(y.dtype)
        return lambda logits: -cross_entropy(logits, aim)
