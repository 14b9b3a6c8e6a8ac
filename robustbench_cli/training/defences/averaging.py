"""Random defences at test time: the mean prediction over several draws.

One call is one decision of what would ship: the mean over `draws` of fresh random numbers. They
come from torch's generator, which an evaluation seeds for each piece of its work. So a result can
be repeated, while two calls differ and an attack cannot know what the verdict will draw. An image
counts as misclassified if one more call, made by the verification, misclassifies it: by the mean
over `draws`, drawn anew. An image near the boundary therefore breaks by chance, the sooner the more
often an attack claims it, over its steps and over epsilons; the more draws, the more rarely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import torch
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.method import Method, Predict


@dataclass(kw_only=True)
class Averaged(Method):
    """Shows `draws` random versions of each image and averages the probabilities."""

    draws: int = param(30, "random versions of the image that a prediction averages", low=1)

    def vary(self, x: Tensor) -> Tensor:
        """One random version of each image; (N, C, H, W), by default the images themselves."""
        return x

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        if self.draws == 1:
            return rest(model, self.vary(x))
        return mean_prediction(ask(model, self.vary(x), rest) for _ in range(self.draws))


def ask(model: Model, x: Tensor, rest: Predict) -> Tensor:
    """``rest(model, x)``; where a gradient is wanted, activations are computed again for it.

    The memory then stays that of one draw, for a third more time. The gradient is that of the
    images alone.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        answer: Tensor = _Recomputed.apply(x, partial(rest, model))
        return answer
    return rest(model, x)


class _Recomputed(torch.autograd.Function):
    """torch's checkpoint for one input, with the same random numbers; it loads no compiler."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.function, ctx.devices = function, [x.device] if x.is_cuda else []
        ctx.states = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, ctx.devices)]
        with torch.no_grad():
            return function(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.random.fork_rng(ctx.devices), torch.enable_grad():
            torch.set_rng_state(ctx.states[0])
            for device, state in zip(ctx.devices, ctx.states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            out = ctx.function(x)
        if not out.requires_grad:  # a defence to the right hides it
            return torch.zeros_like(x), None
        (gradient,) = torch.autograd.grad(out, x, grad.to(out.dtype))
        return gradient, None


def mean_prediction(logits: Iterable[Tensor]) -> Tensor:
    """log(mean softmax) over predictions (N, classes): logits whose softmax is that mean."""
    listed = [each.log_softmax(1) for each in logits]
    return torch.stack(listed).logsumexp(0) - log(len(listed))
