"""Push every layer's activation, not only the image, up the loss by one signed step.

Chen & Zhang, "Layer-wise Adversarial Training Approach to Improve Adversarial Robustness", IJCNN
2020 (no public code; known here from its abstract and a derivation in a later report). h_l becomes
h_l + ε_l sign(∂L/∂h_l) at the image, before each stage and before the head, all at once. `fresh`
takes the gradients from a pass of its own over the same batch. `stale` is the report's reading:
those of the previous step, which belong to other images; the first step has none, a smaller last
batch takes the first rows and leaves the kept ones alone.
The report derives the steps from products of weights as if there were no activations, and takes
sign(Σwg) for sign(w)sign(g), which holds for a single output only: here the gradients are exact.
ε_l is left open there: `scale=activation` takes ε·mean|h_l| of what the layer receives, `constant`
ε; the image gets ε and is clipped to [0, 1]. The first pass is in eval mode (`attack-bn=train` in
train mode). Nothing is added at test time.
Cost per step: 2 forwards, 2 backwards; stale 1 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Bounded, Mode, attacking
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import editing, refuse_fused
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy


@dataclass(kw_only=True)
class LayerwiseTraining(Bounded):
    """Shifts the activations of the training forward."""

    compares: ClassVar[bool] = True
    gradients: Literal["fresh", "stale"] = param("fresh", "whose gradients decide the shift")
    layers: Literal["all", "input", "hidden"] = param("all", "which activations are shifted")
    scale: Literal["activation", "constant"] = param("activation", "what hidden steps scale with")
    attack_bn: Mode = param("eval", "mode of the network in the fresh gradients' pass")
    kept: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        layers = self._layers(model)
        if self.gradients == "fresh":
            self.kept = self._probe(model, batch, layers)
        with ExitStack() as stack:
            for i, layer in layers.items():
                stack.enter_context(editing(layer, partial(self._receive, i)))
            outcome = rest(model, batch)
        if self.gradients == "fresh":
            self.kept = {}
        return outcome

    def _layers(self, model: Model) -> dict[int, nn.Module]:
        """By number: 0 receives the image, the last is the head."""
        found = dict(enumerate(dict.fromkeys([*model.stages, model.head])))
        if self.layers == "input":
            return {0: found[0]}
        return {i: m for i, m in found.items() if i or self.layers == "all"}

    def _probe(self, model: Model, batch: Batch, layers: dict[int, nn.Module]) -> dict[int, Tensor]:
        """The gradient of the plain network's loss at the input of each layer."""
        hidden: dict[int, Tensor] = {}
        x = batch.x.detach().requires_grad_()
        with attacking(model, self.attack_bn), watching(layers, hidden.__setitem__):
            loss = cross_entropy(model(x), batch.y)
        return dict(zip(hidden, torch.autograd.grad(loss, [*hidden.values()]), strict=True))

    def _receive(self, i: int, h: Tensor) -> Tensor:
        if self.gradients == "fresh":
            return self._shifted(i, h)
        h = self._shifted(i, h if h.requires_grad else h.detach().requires_grad_())
        h.register_hook(partial(self._keep, i))  # type: ignore[no-untyped-call]
        return h

    def _shifted(self, i: int, h: Tensor) -> Tensor:
        gradient = self.kept.get(i)
        if gradient is None or gradient.shape[1:] != h.shape[1:] or len(gradient) < len(h):
            return h
        up = gradient[: len(h)].sign()
        if i == 0:
            return torch.add(h, up, alpha=self.radius).clamp(0, 1)
        if self.scale == "constant":
            return torch.add(h, up, alpha=self.radius)
        return torch.addcmul(h, up, self.radius * h.detach().abs().mean())

    def _keep(self, i: int, gradient: Tensor) -> None:
        """Called by whatever backward passes the layer."""
        if len(gradient) >= len(self.kept.get(i, gradient)):
            # not a number where the scale of mixed precision overflows
            self.kept[i] = gradient.detach().nan_to_num()


@contextmanager
def watching(layers: dict[int, nn.Module], tell: Callable[[int, Tensor], None]) -> Iterator[None]:
    """While open, every input of a layer is told, by its number."""

    def hook(i: int, _: nn.Module, args: tuple[Any, ...]) -> None:
        tell(i, args[0])

    with ExitStack() as stack:
        for i, layer in layers.items():
            refuse_fused(layer)
            stack.callback(layer.register_forward_pre_hook(partial(hook, i)).remove)
        yield
