"""Other beginnings for networks of timm, and other epsilons of their norms.

Published robust networks differ from timm's here: XCiT with patches of a quarter of the side
(Debenedetti et al., SaTML 2023, arXiv 2209.07399), ViT and ConvNeXt that begin with convolutions
(Singh, Croce and Hein, NeurIPS 2023, arXiv 2303.01870). Names of weights are those of their files.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from robustbench_cli.errors import UsageError

from .blocks import sequence

_WIDE = 128
"""Channels of a ConvNeXt's first stage from which its stem has a third convolution."""


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (N, C, H, W), at each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        last = input.permute(0, 2, 3, 1)
        last = F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return last.permute(0, 3, 1, 2)


def begin_with_convolutions(network: Any, name: str) -> None:
    """Put 3x3 convolutions, norms and GELUs where images become patches.

    ConvNeXt, d channels: d/2, 3d/4 where it is wide, d; a quarter of the side is left. ViT, patches
    of 16: 48, 96, 192 and 384 channels, and 1x1 to its own width.

    Raises:
        UsageError: a network for which nobody has published one.
    """
    embed: Any = getattr(network, "patch_embed", None)
    if type(network).__name__ == "ConvNeXt":
        old = network.stem[0]
        width = old.out_channels
        half, more = (width // 2, 2), [(width * 3 // 4, 2)] * (width >= _WIDE)
        last = (width, 1 if more else 2)
        network.stem = _stem(old.in_channels, [half, *more, last])
    elif isinstance(getattr(embed, "proj", None), nn.Conv2d) and embed.patch_size == (16, 16):
        old = embed.proj
        stem = _stem(old.in_channels, [(48 * 2**k, 2) for k in range(4)])
        stem.stem.append(nn.Conv2d(384, old.out_channels, 1))
        embed.proj = stem
    else:
        raise UsageError(
            f"{name}: there is no stem of convolutions for this network; expected a convnext or a "
            "vit with patches of 16, or leave out stem=convolutions"
        )


def _stem(channels: int, then: list[tuple[int, int]]) -> Any:
    """`then`: channels and stride of each convolution."""
    layers: list[nn.Module] = []
    for width, stride in then:
        layers += [nn.Conv2d(channels, width, 3, stride, padding=1), ChannelNorm(width), nn.GELU()]
        channels = width
    return sequence(stem=nn.Sequential(*layers))


def cut_finer(network: Any, side: int) -> None:
    """Patches of `side` pixels for an XCiT: its first convolutions lose their stride."""
    embed = network.patch_embed
    halvings: list[Any] = [part[0] for part in embed.proj if isinstance(part, nn.Sequential)]
    too_many = (embed.patch_size // side).bit_length() - 1
    for convolution in halvings[:too_many]:
        convolution.stride = (1, 1)
    embed.patch_size = side
    for info in network.feature_info:
        info["reduction"] = side


def set_norm_epsilon(network: nn.Module, eps: float) -> None:
    """Of every layer norm."""
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = eps
