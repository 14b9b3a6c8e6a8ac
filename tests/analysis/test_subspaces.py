"""Directions are orthonormal and share in the gradient as much as is possible."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import hadamard as sylvester

from robustbench_cli.analysis.subspaces import basis, hadamard, orders, signs, spread


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(12, 40))
def test_k_directions_are_orthonormal_and_each_has_its_share(seed: int, k: int, d: int) -> None:
    torch.manual_seed(seed)
    gradient = torch.randn(2, d, dtype=torch.float64)
    rows = spread(basis(gradient, 12), k)
    torch.testing.assert_close(rows @ rows.mT, torch.eye(k, dtype=torch.float64).expand(2, k, k))
    shares = torch.einsum("nkd,nd->nk", rows, gradient) / gradient.norm(dim=1, keepdim=True)
    torch.testing.assert_close(shares, torch.full((2, k), k**-0.5, dtype=torch.float64))


def test_no_gradient_still_gives_orthonormal_rows() -> None:
    rows = basis(torch.zeros(1, 9), 4)[0]
    torch.testing.assert_close(rows @ rows.T, torch.eye(4))


def test_regular_hadamard_matrices_are_orthogonal_with_equal_sums() -> None:
    assert orders(100) == [1, 4, 16, 64] and orders(1) == [1]
    for k in orders(64):
        matrix = hadamard(k)
        assert (matrix @ matrix.T == k * torch.eye(k)).all()
        assert (matrix.sum(1) == k**0.5).all()
        assert matrix.shape == sylvester(k).shape and (matrix.abs() == 1).all()


@given(st.integers(0, 10_000), st.sampled_from([1, 4, 16]), st.integers(16, 50))
def test_signs_are_orthogonal_and_share_in_a_gradient_of_equal_entries(
    seed: int, k: int, d: int
) -> None:
    torch.manual_seed(seed)
    gradient = 0.3 * torch.randn(2, d, dtype=torch.float64).sign()
    kept = d - d % k
    rows = signs(gradient, k, torch.randperm(d))
    assert (rows @ rows.mT == kept * torch.eye(k)).all()
    shares = torch.einsum("nkd,nd->nk", rows, gradient)
    torch.testing.assert_close(shares, torch.full((2, k), 0.3 * kept / k**0.5).double())
