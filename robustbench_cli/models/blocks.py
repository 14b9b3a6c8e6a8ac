"""Building blocks that several architectures share: sequences, residual blocks, initialisation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustbench_cli.errors import UsageError


def sequence(**modules: nn.Module) -> nn.Sequential:
    """Modules one after the other, each under its keyword as name."""
    return nn.Sequential(OrderedDict(modules))


def at_least(side: int, shape: tuple[int, int, int], name: str) -> None:
    """Refuse images with a side shorter than `side` pixels.

    Raises:
        UsageError: too small; names the networks that take any size.
    """
    _, height, width = shape
    if min(height, width) < side:
        raise UsageError(
            f"{name} needs images of at least {side}x{side} pixels, these have {height}x{width}; "
            "for any size: --model mlp"
        )


def he_init(network: nn.Module) -> nn.Module:
    """Draw every convolution from N(0, 2 / (outputs x kernel area)): He et al., ICCV 2015."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def conv3x3(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=groups, bias=False)


class Standardise(nn.Module):
    """Each image minus its mean, over its deviation; a deviation is at least 1 / sqrt(pixels).

    Over all its pixels and channels. The bound keeps the gradient of a flat image finite.
    """

    def forward(self, x: Tensor) -> Tensor:
        std, mean = torch.std_mean(x, dim=(1, 2, 3), keepdim=True)
        return (x - mean) / std.clamp(min=x[0].numel() ** -0.5)


class Cosine(nn.Module):
    """Cosines of features and of each class's weights: (N, inputs) -> (N, classes)."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(classes, inputs)))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.normalize(x), F.normalize(self.weight))


class ZeroPadShortcut(nn.Module):
    """Option A of He et al.: every `stride`-th pixel, and channels of zeros before and after."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        before = (outputs - inputs) // 2
        self.stride, self.padding = stride, (before, outputs - inputs - before)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.padding))


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Option B: a 1x1 convolution with batch norm."""
    convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, norm and ReLU after them: He et al., CVPR 2016.

    (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride)). `shortcut` makes the
    module for a shortcut that changes the shape; every other shortcut is the identity.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        shortcut: Callable[[int, int, int], nn.Module] = projection,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = conv3x3(outputs, outputs), nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else shortcut(inputs, outputs, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu1(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h)) + self.shortcut(x)
        return self.relu2(h)  # type: ignore[no-any-return]


class PreActBlock(nn.Module):
    """Norm and ReLU *before* each convolution: He et al., ECCV 2016, and wide residual networks.

    Shapes as in :class:`BasicBlock`. A shortcut that changes the shape is a 1x1 convolution of the
    activated input, or of the `raw` one; the others are the identity.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        raw: bool = False,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.raw = raw
        self.bn1, self.relu1 = nn.BatchNorm2d(inputs), activation()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn2, self.relu2 = nn.BatchNorm2d(outputs), activation()
        self.conv2 = conv3x3(outputs, outputs)
        self.shortcut: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        activated = self.relu1(self.bn1(x))
        h = self.conv2(self.relu2(self.bn2(self.conv1(activated))))
        if self.shortcut is None:
            return h + x  # type: ignore[no-any-return]
        return h + self.shortcut(x if self.raw else activated)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3, 1x1 around a shortcut, norm and ReLU after them: He et al., CVPR 2016.

    (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride)); `inner` channels in
    between (a quarter of the outputs), whose 3x3 convolution is cut into `groups` (ResNeXt: Xie et
    al., CVPR 2017). Option B for a shortcut that changes the shape.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, inner: int | None = None, groups: int = 1
    ) -> None:
        super().__init__()
        inner = inner or outputs // 4
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = conv3x3(inner, inner, stride, groups), nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU()
        self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else projection(inputs, outputs, stride)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu1(self.bn1(self.conv1(x)))
        h = self.relu2(self.bn2(self.conv2(h)))
        return self.relu3(self.bn3(self.conv3(h)) + self.shortcut(x))  # type: ignore[no-any-return]


def residual_stage(
    block: Callable[[int, int, int], nn.Module], inputs: int, outputs: int, count: int, stride: int
) -> nn.Sequential:
    """`count` blocks of one width, of which the first takes the stride."""
    first = block(inputs, outputs, stride)
    return nn.Sequential(first, *(block(outputs, outputs, 1) for _ in range(count - 1)))
