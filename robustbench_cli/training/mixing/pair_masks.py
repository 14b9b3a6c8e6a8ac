"""The energy of masks that mix two images: what is salient is kept, and borders are smooth."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .grid_labels import Grid
from .tiles import tile_side


def pair_grid(
    x: Tensor,
    salient: Tensor,
    order: Tensor,
    keep: float,
    *,
    labels: int = 3,
    beta: float = 1.2,
    gamma: float = 0.5,
    eta: float = 0.2,
    strip: int = 4,
) -> Grid:
    """Energies of n x n masks that mix image i with image ``order[i]``.

    Label k gives the share z = k/(labels-1) of a block to image i. E is the saliency that is lost,
    Σ z·s[order[i]] + (1-z)·s[i]; β/16n·(z-z')² for neighbours; as much, times γ, of the jump of the
    pixels at their border; and -η/n² log of the binomial prior, whose probability is `keep`.

    x: (N, C, H, W) in [0, 1]. salient: (N, n, n), sums to 1 for each image. `strip`: pixels over
    which the colours at a border are averaged.
    """
    n = salient.shape[1]
    beta = beta / n / 16  # as in the authors' code
    one, zero = salient[order].clone(), salient.clone()  # what z = 1 and z = 0 give up
    down = _charge_jumps(one, zero, _jumps(x, order, n, strip), beta * gamma)
    right = _charge_jumps(one.mT, zero.mT, _jumps(x.mT, order, n, strip), beta * gamma).mT
    share = torch.linspace(0, 1, labels, device=x.device)
    unary = torch.lerp(zero[..., None], one[..., None], share)
    unary = unary + (eta / n**2 * _surprise(keep, labels)).to(x.device, non_blocking=True)
    return Grid(unary, beta + down, beta + right, (share[:, None] - share).square())


def _surprise(keep: float, labels: int) -> Tensor:
    """(labels,): -log of the probability of k out of labels-1 at odds `keep`; always finite."""
    m = labels - 1
    odds = [math.comb(m, k) * keep**k * (1 - keep) ** (m - k) for k in range(labels)]
    return -torch.tensor([math.log(p + 1e-8) for p in odds])


def _jumps(x: Tensor, order: Tensor, n: int, strip: int) -> Tensor:
    """(2, 2, N, n-1, n): mean difference across each horizontal border of blocks.

    [a, b] where the block above comes from image a and the one below from image b; 1 is image i,
    0 is image ``order[i]``.
    """
    tall, wide = x.shape[2] // n, x.shape[3] // n
    near = tile_side(tall, strip)
    colours = F.avg_pool2d(x, (near, 1))
    k = tall // near
    above, below = colours[:, :, k - 1 : -1 : k], colours[:, :, k::k]

    def across(a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().mean(1).reshape(len(x), n - 1, n, wide).mean(3)

    own = across(above, below)
    return torch.stack(
        [
            torch.stack([own[order], across(above[order], below)]),
            torch.stack([across(above, below[order]), own]),
        ]
    )


def _charge_jumps(one: Tensor, zero: Tensor, jumps: Tensor, scale: float) -> Tensor:
    """Adds to the costs of z = 1 and z = 0, in place, what the jumps cost; returns the weights.

    Split as in the authors' code: with whole labels a pair pays ``scale · jumps[a, b]`` and a
    constant; the remainder, the weight, is for (z - z')².
    """
    (d00, d01), (d10, d11) = scale / 2 * jumps
    one[:, :-1] += d10 + d11
    one[:, 1:] += d01 + d11
    zero[:, :-1] += d01 + d00
    zero[:, 1:] += d10 + d00
    weight: Tensor = d10 + d01 - d11 - d00
    return weight
