"""Keep every sample at a distance from the decision boundary, seen from the image and from layers.

Elsayed et al., "Large Margin Deep Networks for Classification", NeurIPS 2018, arXiv 1803.05598.
d_{l,i} = (f_y - f_i) / (1e-6 + ‖∇_{h_l}(f_y - f_i)‖_q), q dual to the norm of the distance;
loss Σ_l max_i or Σ_i of max(0, γ - d_{l,i}), plus `ce` times the ordinary loss. The norm carries no
gradient (`first-order`); false differentiates it too. All gradients come from one call.
The authors' code differs from their paper: f are probabilities, d is clipped from below (`cap`: a
term is at most cap·γ), the ℓ∞ distance is multiplied by the number of elements (`per-element`),
layers are averaged, and there is no cross entropy. Its MNIST setting is
`scores=probabilities,cap=4,per-element=true,gamma=10000,ce=0,weight=0.333`, RMSprop at 0.1.
`layers=all` is the image and the input of each stage. y is the most likely class of a soft label.
In train mode batch norm ties samples together, and gradients take that in, as in the authors' code.
Cost per step: 1 forward, 2 backwards (the second ends at activations, not weights), and one more of
those for each further rival; about twice that with `first-order=false`.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import ClassVar, Literal

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.models.model import Model
from robustbench_cli.spec import number, param
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import editing
from robustbench_cli.training.method import Method, Step

DUAL = {"linf": 1.0, "l2": 2.0, "l1": inf}
FLOOR = 1e-6  # ε of the formula


@dataclass(kw_only=True)
class LargeMargin(Method):
    """Adds a hinge on linearised distances to the boundary."""

    innermost: ClassVar[bool] = True
    own_loss: ClassVar[bool] = True
    norm: Literal["linf", "l2", "l1"] = param("linf", "norm of the distance")
    gamma: float | None = param(
        None, "γ, distance to keep; none: usual radius to train with", low=0
    )
    layers: Literal["all", "input"] = param("all", "where distances are measured")
    rivals: int = param(1, "how many of the likeliest other classes count; 0: all", low=0)
    over: Literal["max", "sum"] = param("max", "how rivals are joined")
    scores: Literal["logits", "probabilities"] = param("logits", "f of the formula")
    weight: float = param(1.0, "weight of the margin's loss", low=0)
    ce: float = param(0.1, "weight of the ordinary loss", low=0)
    cap: float | None = param(None, "a term's largest value, in units of γ; none: no limit", low=0)
    per_element: bool = param(False, "divide the gradient's norm by its number of elements")
    first_order: bool = param(True, "treat the gradient's norm as a constant")

    def adapt(self, dataset: Dataset) -> None:
        if self.gamma is None:
            self.gamma = float(number(dataset.usual_eps(self.norm, "train_eps")))

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        hidden: dict[int, Tensor] = {}

        def keep(i: int, h: Tensor) -> Tensor:
            hidden[i] = h if h.requires_grad else h.detach().requires_grad_()
            return hidden[i]

        stages = model.stages[:1] if self.layers == "input" else model.stages
        with ExitStack() as stack:
            for i, stage in enumerate(stages):
                stack.enter_context(editing(stage, partial(keep, i)))
            outcome = rest(model, batch)
        margin = self.loss(outcome.logits.float(), batch.y, [*hidden.values()])
        return outcome._replace(loss=self.ce * outcome.loss + self.weight * margin)

    def loss(self, logits: Tensor, y: Tensor, hidden: list[Tensor]) -> Tensor:
        """The margin's loss of logits (N, classes) that were computed from each of `hidden`."""
        gamma = 8 / 255 if self.gamma is None else self.gamma
        leads = self._leads(logits, y)
        total = logits.new_zeros(())
        for slope in self._slopes(leads, hidden):
            length = torch.linalg.vector_norm(slope.flatten(2).float(), DUAL[self.norm], dim=2).T
            if self.per_element:
                length = length / slope[0, 0].numel()
            miss = (gamma - leads / (length + FLOOR)).clamp(min=0)
            if self.cap is not None:
                miss = miss.clamp(max=self.cap * gamma)
            total = total + (miss.amax(1) if self.over == "max" else miss.sum(1)).mean()
        return total

    def _leads(self, logits: Tensor, y: Tensor) -> Tensor:
        """(N, rivals): the label's score minus each rival's, the nearest rival first."""
        f = logits if self.scores == "logits" else logits.softmax(1)
        own = y.argmax(1, keepdim=True)
        count = min(self.rivals or f.shape[1], f.shape[1] - 1)
        return f.gather(1, own) - f.scatter(1, own, -inf).topk(count, 1).values

    def _slopes(self, leads: Tensor, hidden: list[Tensor]) -> list[Tensor]:
        """(rivals, N, ...) for each of `hidden`: the gradient of each sample's lead."""
        rivals = leads.shape[1]
        if rivals == 1:
            seeds = torch.ones_like(leads)
        else:
            seeds = torch.eye(rivals, device=leads.device, dtype=leads.dtype)
            seeds = seeds[:, None].expand(rivals, len(leads), rivals)
        slopes = torch.autograd.grad(
            leads,
            hidden,
            seeds,
            retain_graph=True,
            create_graph=not self.first_order,
            is_grads_batched=rivals > 1,
        )
        return [slope[None] if rivals == 1 else slope for slope in slopes]
