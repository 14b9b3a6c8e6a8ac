"""Train on clean images and on the same images after one signed gradient step.

Goodfellow et al., "Explaining and Harnessing Adversarial Examples", ICLR 2015, arXiv 1412.6572.
a·J(x) + (1-a)·J(x + ε sign ∇ₓJ(x)), a = 0.5, J the training loss; the step carries no gradient.
One backward of the clean pass gives both the weights' gradient and ∇ₓ: nothing is computed twice.
That needs the network to see x itself; where a method to the right changes the images (`+mixup`),
or with a random start, the attack is a pass of its own, on the plain network in eval mode.
One step from the image invites label leaking (accuracy on attacked images above clean accuracy) and
catastrophic overfitting. Against the former Kurakin et al., 2017, arXiv 1611.01236, attack the
predicted label (`label=predicted`); `random-start` draws from the whole ball, steps ε, clips.
Cost per step: 2 forwards, 2 backwards; 2 and 3 with `label=predicted`, 3 and 3 with a pass of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Bounded
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import editing, eval_mode
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy


class _Differentiated(torch.autograd.Function):
    """A scalar whose gradients are known already: its backward only hands them out."""

    @staticmethod
    def forward(value: Tensor, gradients: tuple[Tensor | None, ...], *inputs: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1])

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        return None, None, *(None if g is None else grads[0] * g for g in ctx.saved_tensors)


@dataclass(kw_only=True)
class FGSMTraining(Bounded):
    """Adds the loss on images that the clean pass's own gradient has moved."""

    clean: float = param(0.5, "a, share of the loss on clean images", low=0, high=1)
    label: Literal["true", "predicted"] = param("true", "the label that the attack moves away from")
    random_start: bool = param(False, "attack from a uniformly drawn point of the ball")

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        if self.clean == 1:
            return rest(model, batch)
        image = batch.x
        if not (self.random_start or image.requires_grad):
            image = image.detach().requires_grad_()
        seen: list[bool] = []

        def watch(h: Tensor) -> Tensor:
            seen.append(h is image)
            return h

        with editing(model.stages[0], watch):
            clean = rest(model, batch.replace(x=image))
        if self.random_start or seen != [True]:
            x = self._attack(model, batch)
        elif self.label == "predicted":
            loss = cross_entropy(clean.logits, _predicted(clean.logits))
            x = self._moved(image, torch.autograd.grad(loss, image, retain_graph=True)[0])
        else:
            clean, gradient = _differentiate(clean, model, image)
            x = self._moved(image, gradient)
        adversarial = rest(model, batch.replace(x=x))
        loss = self.clean * clean.loss + (1 - self.clean) * adversarial.loss
        return clean._replace(loss=loss)

    def _moved(self, x: Tensor, gradient: Tensor) -> Tensor:
        x = x.detach()
        return self.inside(x, self.radius * self.direction(gradient), self.radius)

    def _attack(self, model: Model, batch: Batch) -> Tensor:
        def loss(logits: Tensor) -> Tensor:
            return cross_entropy(logits, batch.y if self.label == "true" else _predicted(logits))

        x, eps = batch.x.detach(), self.radius
        start = self.inside(x, self.start(x, eps), eps) if self.random_start else x
        with eval_mode(model):
            return self.ascend(model, x, loss, start, eps)


def _differentiate(outcome: Outcome, model: Model, x: Tensor) -> tuple[Outcome, Tensor]:
    """The outcome with its gradients already taken, and its gradient at x."""
    inputs = (x, *(p for p in model.parameters() if p.requires_grad))
    # retained: a method to the left may differentiate the logits
    gradients = torch.autograd.grad(outcome.loss, inputs, retain_graph=True, allow_unused=True)
    assert gradients[0] is not None  # the network has seen x
    loss: Tensor = _Differentiated.apply(outcome.loss.detach(), gradients, *inputs)
    return outcome._replace(loss=loss), gradients[0]


def _predicted(logits: Tensor) -> Tensor:
    """(N, classes): the most likely class, as a label."""
    return F.one_hot(logits.detach().argmax(1), logits.shape[1]).to(logits.dtype)
