"""Orthogonal directions that all share in a gradient: as many as possible at once.

Tramèr, Papernot, Goodfellow, Boneh and McDaniel, "The space of transferable adversarial examples",
arXiv:1704.03453: k orthonormal directions can each have the inner product ‖g‖ / √k with g, and no
more. For L∞, Tramèr et al., "Ensemble adversarial training", ICLR 2018, arXiv:1705.07204: signs of
the gradient, flipped by the rows of a regular Hadamard matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor


def basis(gradient: Tensor, size: int) -> Tensor:
    """(n, d) -> (n, size, d): orthonormal rows; the first is the gradient's direction.

    The others are random, from torch's generator. Rows of a gradient that is zero are random, too.
    """
    n, d = gradient.shape
    drawn = torch.randn(n, d, size, dtype=torch.float64)  # on the CPU: the same on any device
    length = gradient.double().norm(dim=1)
    unit = gradient.double().cpu() / length.clamp(min=1e-300).cpu()[:, None]
    drawn[:, :, 0] = torch.where((length > 0).cpu()[:, None], unit, drawn[:, :, 0])
    rows: Tensor = torch.linalg.qr(drawn)[0].transpose(1, 2)
    towards = (rows[:, 0] * drawn[:, :, 0]).sum(1).sign()
    rows[:, 0] *= towards[:, None]
    return rows.to(gradient)


def spread(rows: Tensor, k: int) -> Tensor:
    """The first k rows of an orthonormal (n, size, d), reflected so that all share in the first.

    The answer (n, k, d) is orthonormal, and each row has the inner product 1 / √k with the first
    row of `rows`.
    """
    used = rows[:, :k]
    if k == 1:
        return used
    mirror = torch.full((k,), -(k**-0.5), dtype=rows.dtype, device=rows.device)
    mirror[0] += 1  # e₁ - (1, ..., 1) / √k
    along = torch.einsum("k,nkd->nd", mirror, used) * (2 / float(mirror @ mirror))
    return used - mirror[None, :, None] * along[:, None]


def orders(most: int) -> list[int]:
    """1, 4, 16, ... up to `most`: sizes of regular Hadamard matrices."""
    found = [1]
    while found[-1] * 4 <= most:
        found.append(found[-1] * 4)
    return found


def hadamard(k: int) -> Tensor:
    """(k, k) of ±1 with orthogonal rows that all sum to √k; k is a power of 4."""
    four = torch.tensor([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]])
    matrix = torch.ones(1, 1, dtype=torch.long)
    while len(matrix) < k:
        matrix = torch.kron(matrix, four)
    return matrix.double()


def signs(gradient: Tensor, k: int, order: Tensor) -> Tensor:
    """(n, d) -> (n, k, d) of ±1: orthogonal, each with about ‖g‖₁ / √k as its product with g.

    Pixel order[j] goes with column j mod k of the Hadamard matrix; the last d mod k of them are 0.
    """
    d = gradient.shape[1]
    kept = d - d % k
    pattern = torch.zeros(k, d, dtype=gradient.dtype, device=gradient.device)
    pattern[:, order[:kept]] = hadamard(k).repeat(1, kept // k).to(pattern)
    sign = torch.where(gradient < 0, -1.0, 1.0).to(gradient)
    return sign[:, None] * pattern
