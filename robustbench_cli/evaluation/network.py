"""The network under attack: counts what is asked of it, and answers with logits or one line."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.device import is_out_of_memory
from robustbench_cli.errors import RunError

from .throughput.batches import Batches


class Network(nn.Module):
    """A predictor, pixels (N, C, H, W) in [0, 1] -> logits (N, classes), with counters.

    `forwards` and `backwards` count images, not batches. Leaves no hook in the predictor. One that
    asks a network of its own several times says so in a counter `forwards`.
    """

    def __init__(self, predictor: nn.Module) -> None:
        super().__init__()
        self.predictor = predictor
        self.forwards = self.backwards = 0
        self.has_gradient = True  # False once a gradient was asked for and there was none
        self.random = False  # whether two calls answer the same images differently

    def forward(self, x: Tensor) -> Tensor:
        before = getattr(self.predictor, "forwards", 0)
        logits: Tensor = self.predictor(x)
        asked = getattr(self.predictor, "forwards", len(x)) - before
        self.forwards += asked
        if x.requires_grad and torch.is_grad_enabled():
            if not logits.requires_grad:  # thresholds and the like: the true gradient is zero
                self.has_gradient = False
                logits = logits + 0 * x.flatten(1).sum(1, keepdim=True)
            logits = _Counted.apply(logits, self, asked)
        return logits


class _Counted(torch.autograd.Function):
    """The identity, and on the bill a backward pass for each forward."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, network: Network, asked: int) -> Tensor:
        ctx.network, ctx.asked = network, asked
        return logits.view_as(logits)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        ctx.network.backwards += ctx.asked
        return grad, None, None


class Clean(NamedTuple):
    """What a network says of the unchanged images."""

    prediction: Tensor  # (N,)
    least_likely: Tensor  # (N,), the class with the smallest logit
    classes: int


def logits(network: nn.Module, x: Tensor) -> Tensor:
    """float32, no gradient, and no mixed precision even where the caller had switched it on."""
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        return network(x)  # type: ignore[no-any-return]


def answers_differ(network: nn.Module, x: Tensor) -> bool:
    """Whether the network draws random numbers: two calls with the same images are compared."""
    return not torch.equal(logits(network, x), logits(network, x))


def predict_clean(network: Network, images: Images, batches: Batches) -> Clean:
    """
    Raises:
        RunError: pixels outside [0, 1], images that the network cannot take, NaN, or an output
            that is no (N, classes) with a class for each label.
    """
    highest = int(images.labels.max())

    def predict(part: slice) -> tuple[Tensor, Tensor, int]:
        x = images[part].x
        if not bool(((x >= 0) & (x <= 1)).all()):
            raise RunError("pixels outside [0, 1]; scale the images, and normalise in the network")
        out = _first_logits(network, x)
        if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(x):
            found = tuple(out.shape) if isinstance(out, Tensor) else f"a {type(out).__name__}"
            raise RunError(f"the network answers with {found}; expected logits ({len(x)}, classes)")
        if out.shape[1] <= highest:
            raise RunError(
                f"the network knows {out.shape[1]} classes and the labels reach {highest}; "
                "check --data and --model"
            )
        if bool(out.isnan().any()):
            raise RunError("the network answers NaN to unchanged images; train it again")
        return out.argmax(1), out.argmin(1), out.shape[1]

    predictions, least, classes = zip(*batches.map(len(images), predict), strict=True)
    return Clean(torch.cat(predictions), torch.cat(least), classes[0])


def _first_logits(network: Network, x: Tensor) -> Any:
    try:
        return logits(network, x)
    except (RuntimeError, ValueError, TypeError) as e:
        if is_out_of_memory(e):
            raise
        reason = str(e).strip().partition("\n")[0]
        shape = "x".join(map(str, x.shape[1:]))
        raise RunError(f"the network cannot take {shape} images: {reason}") from e
