"""Move the activations of some samples a little towards those of others, and leave their labels.

Subramanya, Mopuri & Babu, "BatchOut: Batch-level feature augmentation to improve robustness to
adversarial examples", ICVGIP 2018. Before an activation, for the first ⌊kB⌋ samples of the batch,
h* = h + η·sg(h[r] - h), r uniform over the batch, anew at each layer; sg stops the gradient, or the
network would learn to undo the shift. k = 0.5, all layers. η on MNIST: 0.05 at the first, 0.1 at
later activations; on CIFAR-10: U[0, 0.1] at the first four, U[0, 0.15] later, here one draw for
each sample. The paper's control: `partner=noise`, η‖h‖·n/‖n‖ with Gaussian n.
The variants of a later public study on VGG-19 (Hrushikesh-github/Batchout-Robustness-method) move
all samples, behind the layer, with one η per batch, from the middle of the network on:
`share=1,place=after,size=0.3` and `layers=single` (its n_3), `layers=alternate,redraw=false`
(alt_3), `layers=middle` (all_middle_3); `size=-0.3` moves away, `size=0.3,-0.2,odds=0.6,0.4` is
random_3_-2, `partner=exchange` (i with B-1-i) its "C", and `same` or `different` draw by class.
Its code never enforces a class and its network ties weights: here classes are enforced, and nothing
is tied. Its good FGSM figures fall to almost nothing under strong attacks: a masked gradient.
Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import number, param
from robustbench_cli.training.batch import Batch, Outcome, current_forward
from robustbench_cli.training.hooks import replace_modules
from robustbench_cli.training.method import Method, Step

Layers = Literal["all", "single", "alternate", "middle"]
Partner = Literal["any", "exchange", "same", "different", "noise"]
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Softplus)
_MNIST = {"size": "0.1", "early": 0.05, "early_layers": 1, "draw": "fixed"}
_CIFAR = {"size": "0.15", "early": 0.1, "early_layers": 4, "draw": "sample"}


class _Replaced(torch.autograd.Function):
    """The value of one tensor and the gradient of another."""

    @staticmethod
    def forward(h: Tensor, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None]:
        return grads[0], None


class _ShiftedReLU(torch.autograd.Function):
    """``relu`` of a tensor whose first rows are shifted, in one pass: no copy in between."""

    @staticmethod
    def forward(h: Tensor, partners: Tensor, size: float | Tensor) -> Tensor:
        value = torch.empty_like(h)
        count = len(partners)
        torch.clamp_min(h[count:], 0, out=value[count:])
        _move(value[:count], h, partners, size).clamp_min_(0)
        return value

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None, None]:
        (value,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(grads[0], value, 0), None, None


def _move(out: Tensor, h: Tensor, partners: Tensor, size: float | Tensor) -> Tensor:
    """`out`: the rows of h (N, ...) as many as `partners` (k,), moved by `size` towards them."""
    torch.index_select(h, 0, partners, out=out)
    return out.lerp_(h[: len(partners)], 1 - size)


class Shifted(nn.Module):
    """An activation whose input, or output, is shifted in training forwards only.

    A module and not a hook, because a compiled stage would not see a hook.
    """

    def __init__(self, activation: nn.Module, after: bool, noise: bool) -> None:
        super().__init__()
        self.activation, self.after, self.noise = activation, after, noise
        # of the step in progress: partners (k,), and η, a number or (k,)
        self.plan: tuple[Tensor, float | Tensor] | None = None

    def forward(self, h: Tensor) -> Tensor:
        if self.plan is None or current_forward() is None:
            return self.activation(h)  # type: ignore[no-any-return]
        if self.after:
            return self.shift(self.activation(h))
        if type(self.activation) is nn.ReLU and not self.noise:
            partners, size = self.plan
            return _ShiftedReLU.apply(h, partners, _per_row(size, h))  # type: ignore[no-any-return]
        return self.activation(self.shift(h))  # type: ignore[no-any-return]

    def shift(self, h: Tensor) -> Tensor:
        """h (N, ...), of which the rows that are planned have moved."""
        assert self.plan is not None
        partners, size = self.plan
        count, size = len(partners), _per_row(size, h)
        with torch.no_grad():
            value = torch.empty_like(h)
            value[count:] = h[count:]
            moved, from_ = value[:count], h[:count]
            if self.noise:
                moved.normal_()
                length = from_.flatten(1).norm(dim=1) / moved.flatten(1).norm(dim=1)
                moved.mul_(size * length.reshape(-1, *[1] * (h.dim() - 1))).add_(from_)
            else:
                _move(moved, h, partners, size)
        found: Tensor = _Replaced.apply(h, value)
        return found


@dataclass(kw_only=True)
class Batchout(Method):
    """Puts the shifts into the network, and draws them anew in each step."""

    resamples: ClassVar[bool] = True
    share: float = param(0.5, "k, share of the batch that moves", low=0, high=1)
    size: str | None = param(
        None, "η; several, like 0.3,-0.2: one is drawn for each batch; none: the paper's"
    )
    odds: str | None = param(None, "probabilities of several sizes, like 0.6,0.4; none: equal")
    draw: Literal["fixed", "batch", "sample"] | None = param(
        None, "η itself, or U[0, η] per layer and batch, or per sample; none: the paper's"
    )
    early: float | None = param(None, "η of the first layers; none: as the others, or the paper's")
    early_layers: int | None = param(None, "how many layers are first; none: the paper's", low=0)
    layers: Layers = param("all", "which activations; all but `all` begin at `start`")
    start: int | None = param(None, "first activation, from 1; none: after half of them", low=1)
    place: Literal["before", "after"] = param("before", "the activation's side that moves")
    partner: Partner = param("any", "towards whom a sample moves")
    redraw: bool = param(True, "other partners at each layer")

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes, odds = _numbers(self.size, "size"), _numbers(self.odds, "odds")
        if odds and (len(odds) != len(sizes) or min(odds) < 0 or not sum(odds)):
            raise UsageError(
                f"batchout: odds={self.odds} must be one probability for each size; "
                "type for example size=0.3,-0.2,odds=0.6,0.4"
            )

    def adapt(self, dataset: Dataset) -> None:
        if self.size is None:
            grey = dataset.name in ("digits", "fashion-mnist", "mnist")
            paper: dict[str, object] = _MNIST if grey else _CIFAR
            for name, value in paper.items():
                if getattr(self, name) is None:
                    setattr(self, name, value)

    def install(self, model: Model) -> None:
        found = [m for m in model.modules() if _activates(m)]
        chosen = self._chosen(found)
        after, noise = self.place == "after", self.partner == "noise"
        for kind in {type(m) for m in chosen}:
            replace_modules(
                model, kind, lambda old: Shifted(old, after, noise) if old in chosen else old
            )
        self.needs(chosen, "activation to shift")

    def _chosen(self, found: list[nn.Module]) -> list[nn.Module]:
        if self.layers == "all" or not found:
            return found
        start = len(found) // 2 + 1 if self.start is None else self.start
        if start > len(found):
            raise UsageError(
                f"batchout: start={start}, but the network's last activation is number "
                f"{len(found)}; type a smaller one"
            )
        stop = start if self.layers == "single" else len(found)
        return found[start - 1 : stop : 2 if self.layers == "alternate" else 1]

    def deploy(self, model: Model) -> None:
        replace_modules(model, Shifted, lambda shifted: shifted.activation)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        layers = [m for m in model.modules() if isinstance(m, Shifted)]
        count = int(self.share * len(batch) + 1e-9)
        partners = self._partners(batch.y, count, len(layers) if self.redraw else 1)
        sizes, odds = _numbers(self.size, "size") or [0.1], _numbers(self.odds, "odds")
        (size,) = random.choices(sizes, odds or None)
        try:
            for i, layer in enumerate(layers):
                first = i < (self.early_layers or 1)
                base = self.early if first and self.early is not None else size
                eta = self._drawn(base, count, batch.x)
                layer.plan = partners[i if self.redraw else 0], eta
            return rest(model, batch)
        finally:
            for layer in layers:
                layer.plan = None

    def _drawn(self, size: float, count: int, like: Tensor) -> float | Tensor:
        """η of one layer: a number, or (count,)."""
        if self.draw == "sample":
            return size * torch.rand(count, device=like.device)
        return size * random.random() if self.draw == "batch" else size

    def _partners(self, y: Tensor, count: int, layers: int) -> Tensor:
        """(layers, count): whose activations the first `count` rows move towards."""
        n = len(y)
        if self.partner == "exchange":
            return torch.arange(n - 1, n - 1 - count, -1, device=y.device).expand(layers, count)
        if self.partner in ("any", "noise"):
            return torch.randint(n, (layers, count), device=y.device)
        own = y.argmax(1)
        same = own[:count, None] == own
        wanted = same if self.partner == "same" else ~same
        # drawn by the largest of random numbers; where nobody is wanted, the sample itself
        fallback = torch.eye(count, n, device=y.device) - 2
        scores = torch.rand(layers, count, n, device=y.device)
        return torch.where(wanted, scores, fallback).argmax(2)


def _per_row(size: float | Tensor, h: Tensor) -> float | Tensor:
    """A number, or (k,) as (k, 1, ...) beside h's rows."""
    if isinstance(size, Tensor):
        return size.to(h.dtype).reshape(-1, *[1] * (h.dim() - 1))
    return size


def _activates(module: nn.Module) -> bool:
    return isinstance(module, _ACTIVATIONS) or type(module).__name__.endswith("ReLU")


def _numbers(text: str | None, name: str) -> list[float]:
    try:
        return [float(number(part)) for part in text.split(",")] if text else []
    except UsageError as e:
        raise UsageError(f"batchout: {name}={text}: {e}") from e
