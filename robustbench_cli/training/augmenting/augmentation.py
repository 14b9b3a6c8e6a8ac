"""Mixtures of randomly chained image operations, drawn for each image, computed in groups."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from .image_ops import autocontrast, equalize, posterize, solarize, warp

POINTWISE = 4  # autocontrast, equalize, posterize, solarize
KINDS = 9  # and those that move pixels: rotate, shear-x, shear-y, translate-x, translate-y


def augment(x: Tensor, views: int, *, severity: float, width: int, depth: int) -> Tensor:
    """(views, N, C, H, W): every image of x (N, C, H, W), in [0, 1], augmented anew for each view.

    (1-m)x + m Σ_i w_i chain_i(x), m ~ Beta(1, 1), w ~ Dirichlet(1, ..., 1) over `width` chains; a
    chain is `depth` operations (0: one to three, drawn) on an image of 256 levels.
    """
    n = len(x)
    levels = (x * 255).round().clamp(0, 255).repeat(views * width, 1, 1, 1)
    chains = run_chains(levels, severity, depth).view(views, width, *x.shape)
    # exponential draws, normalised, are Dirichlet(1, ..., 1); Beta(1, 1) is uniform
    weights = torch.tensor([random.expovariate(1) for _ in range(views * width * n)])
    weights = weights.view(views, width, n)
    weights = (weights / weights.sum(1, keepdim=True) / 255).to(x.device, non_blocking=True)
    m = torch.tensor([random.random() for _ in range(views * n)]).view(views, n, 1, 1, 1)
    mixture = (weights[..., None, None, None] * chains).sum(1)
    return torch.lerp(x.expand_as(mixture), mixture, m.to(x.device, non_blocking=True))


def run_chains(levels: Tensor, severity: float, depth: int) -> Tensor:
    """Each image of levels (K, C, H, W), whole numbers up to 255, through operations of its own.

    Changes `levels`. All draws are made on the host, which so knows the size of every group.
    """
    k, (height, width) = len(levels), levels.shape[2:]
    lengths = torch.full((k,), depth) if depth else torch.randint(1, 4, (k,))
    for step in range(depth or 3):
        kind = torch.where(step < lengths, torch.randint(KINDS, (k,)), KINDS)  # KINDS: ended
        amount = 0.1 + (severity - 0.1) * torch.rand(k)
        sign = torch.randint(2, (k,)) * 2 - 1
        counts = torch.bincount(kind, minlength=KINDS + 1).tolist()
        groups = torch.split(kind.argsort(stable=True), counts)
        for i, members in enumerate([*groups[:POINTWISE], torch.cat(groups[POINTWISE:KINDS])]):
            how = amount[members]
            if i == POINTWISE:
                how = matrices(kind[members], how, sign[members], height, width)
            if len(members):
                members, how = (t.to(levels.device, non_blocking=True) for t in (members, how))
                levels.index_copy_(0, members, apply(i, levels.index_select(0, members), how))
    return levels


def apply(group: int, x: Tensor, how: Tensor) -> Tensor:
    """One kind of pointwise operation on x (K, C, H, W), or (4) all kinds that move pixels.

    `how` is the amount (K,), up to 10, as in the authors' code: posterize to 4 - 0.4·amount bits,
    solarize from 256 - 25.6·amount on, the products rounded down; for (4) the matrix (K, 2, 3).
    """
    if group == 0:
        return autocontrast(x)
    if group == 1:
        return equalize(x)
    if group == 2:
        return posterize(x, 4 - (0.4 * how).floor())
    if group == 3:
        return solarize(x, 256 - (25.6 * how).floor())
    return warp(x, how)


def matrices(kind: Tensor, amount: Tensor, sign: Tensor, height: int, width: int) -> Tensor:
    """(K, 2, 3): where in the source each pixel comes from, as :func:`warp` reads it.

    Rotate by 3·amount degrees, rounded down; shear by 0.03·amount about the upper left corner;
    translate by amount/30 of the side, rounded down to pixels. Other kinds: the identity.
    """
    angle = (kind == 4) * -sign * torch.deg2rad((3 * amount).floor())
    cos, sin, ratio = angle.cos(), angle.sin(), height / width
    shear_x, shear_y = ((kind == k) * 0.03 * sign * amount for k in (5, 6))
    right, down = (
        (kind == k) * 2 * sign * (amount * side / 30).floor() / side
        for k, side in ((7, width), (8, height))
    )
    # a shear about the corner is one about the centre and half the side's shear
    entries = [
        [cos, (sin + shear_x) * ratio, right + shear_x * ratio],
        [(shear_y - sin) / ratio, cos, down + shear_y / ratio],
    ]
    return torch.stack([torch.stack(row, 1) for row in entries], 1)
