"""Smooth activations, so that gradients say more: for the attacker, for the optimiser, or both.

Xie et al., "Smooth Adversarial Training", 2020, arXiv 2006.14536. ReLU becomes the parametric
softplus log(1 + e^{αx}) / α with slope sigmoid(αx), α = 10; `activation` takes one of the paper's
other smooth functions instead (its smoothrelu: x - log(αx + 1) / α above 0, else 0). The method is
the activation only; the paper trains it adversarially: `sat+pgd-at:steps=1`.
`smooth`: `full` (the paper: both passes, and what is deployed); `backward` (the paper's diagnostic,
and what a well-known course report calls SAT: forward exactly ReLU, backward smooth), `attacker`
and `optimiser` (backward, but only in the attack or only in the weights' gradient). The last three
deploy ReLU, so that no evaluation ever sees the surrogate gradient.
Cost per step: 1 forward, 1 backward, and a sigmoid per activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import current_forward
from robustbench_cli.training.hooks import replace_modules
from robustbench_cli.training.method import Method

Smooth = Literal["full", "backward", "attacker", "optimiser"]
Activation = Literal["softplus", "silu", "gelu", "elu", "smoothrelu"]


class _SmoothGradient(torch.autograd.Function):
    """Forward ReLU, backward the softplus's slope."""

    @staticmethod
    def forward(x: Tensor, sharpness: float) -> Tensor:
        return x.relu()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, ctx.sharpness = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        # torch operations only, so that it can be differentiated again
        return grads[0] * torch.sigmoid(ctx.sharpness * x), None


class SmoothReLU(nn.Module):
    """x - log(αx + 1) / α for x > 0, else 0; the slope is 1 - 1 / (αx + 1)."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        return x - (self.sharpness * x).log1p() / self.sharpness


class SmoothBackwardReLU(nn.Module):
    """ReLU whose gradient is smooth for whoever `smooth` names."""

    def __init__(self, sharpness: float, smooth: Smooth, _: nn.Module | None = None) -> None:
        super().__init__()
        self.sharpness, self.smooth = sharpness, smooth

    def forward(self, x: Tensor) -> Tensor:
        optimising = current_forward() is not None
        if self.smooth == ("attacker" if optimising else "optimiser"):
            return x.relu()
        return _SmoothGradient.apply(x, self.sharpness)  # type: ignore[no-any-return]


@dataclass(kw_only=True)
class SAT(Method):
    """Replaces every ReLU."""

    sharpness: float = param(10.0, "α: the larger, the closer to ReLU", low=0.01)
    smooth: Smooth = param("full", "which passes are smooth")
    activation: Activation = param("softplus", "in place of ReLU; all but softplus: full only")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smooth != "full" and self.activation != "softplus":
            raise UsageError(
                f"sat: smooth={self.smooth} uses the slope of softplus in the backward pass only; "
                f"type smooth=full,activation={self.activation}"
            )

    def install(self, model: Model) -> None:
        if self.smooth == "full":
            found = replace_modules(model, nn.ReLU, lambda _: self._smooth())
        else:
            make = partial(SmoothBackwardReLU, self.sharpness, self.smooth)
            found = replace_modules(model, nn.ReLU, make)
        self.needs(found, "ReLU to smooth")

    def _smooth(self) -> nn.Module:
        if self.activation == "smoothrelu":
            return SmoothReLU(self.sharpness)
        if self.activation == "softplus":
            return nn.Softplus(beta=self.sharpness)
        others: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "gelu": nn.GELU, "elu": nn.ELU}
        return others[self.activation]()

    def deploy(self, model: Model) -> None:
        replace_modules(model, SmoothBackwardReLU, lambda _: nn.ReLU())
