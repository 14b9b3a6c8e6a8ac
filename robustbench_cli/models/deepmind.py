"""The blocks of DeepMind's networks for adversarial robustness, which came out of JAX.

Gowal et al., arXiv 2010.03593. A convolution with stride 2 pads images of even sides below and to
the right only, so that it sees other pixels than PyTorch's usual one. Names of weights are those of
the released checkpoints.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["silu", "relu"]


def activation(kind: Activation) -> nn.Module:
    return nn.SiLU() if kind == "silu" else nn.ReLU()


class SamePad(nn.Module):
    """What a 3x3 convolution needs for ceil(side / stride) outputs; the odd one at the end."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = ((side - 1) // self.stride * self.stride + 3 - side for side in x.shape[2:])
        return F.pad(x, (width // 2, -(-width // 2), height // 2, -(-height // 2)))


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)


class WideBlock(nn.Module):
    """Norm and activation before each of two 3x3 convolutions.

    (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride)). A change of channels
    makes the shortcut a 1x1 convolution of the activated input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, kind: Activation) -> None:
        super().__init__()
        self.batchnorm_0, self.relu_0 = nn.BatchNorm2d(inputs), activation(kind)
        self.pad = SamePad(stride)
        self.conv_0 = conv(inputs, outputs, 3, stride)
        self.batchnorm_1, self.relu_1 = nn.BatchNorm2d(outputs), activation(kind)
        self.conv_1 = conv(outputs, outputs, 3, padding=1)
        self.shortcut = conv(inputs, outputs, 1, stride) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu_0(self.batchnorm_0(x))
        h = self.conv_1(self.relu_1(self.batchnorm_1(self.conv_0(self.pad(active)))))
        return h + (x if self.shortcut is None else self.shortcut(active))  # type: ignore[no-any-return]


class PreActBlock(nn.Module):
    """As :class:`WideBlock`, with a 3x3 convolution of the raw input as shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, kind: Activation) -> None:
        super().__init__()
        self.batchnorm_0, self.relu_0 = nn.BatchNorm2d(inputs), activation(kind)
        self.pad = SamePad(stride)
        self.conv_2d_1 = conv(inputs, outputs, 3, stride)
        self.batchnorm_1, self.relu_1 = nn.BatchNorm2d(outputs), activation(kind)
        self.conv_2d_2 = conv(outputs, outputs, 3, padding=1)
        same = stride == 1 and inputs == outputs
        self.shortcut = None if same else conv(inputs, outputs, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = self.relu_0(self.batchnorm_0(x))
        h = self.conv_2d_2(self.relu_1(self.batchnorm_1(self.conv_2d_1(self.pad(active)))))
        return h + (x if self.shortcut is None else self.shortcut(self.pad(x)))  # type: ignore[no-any-return]
