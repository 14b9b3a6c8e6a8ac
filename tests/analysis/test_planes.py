"""Directions are orthonormal, and windows hold their centre."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.analysis.planes import on_plane, orthonormal, window


@given(st.integers(0, 10_000), st.integers(8, 300))
def test_two_directions_become_orthonormal(seed: int, d: int) -> None:
    first, second = torch.randn(2, 3, d, generator=torch.Generator().manual_seed(seed))
    plane = orthonormal(first, second)
    products = plane @ plane.transpose(1, 2)
    torch.testing.assert_close(products, torch.eye(2).expand(3, 2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(plane[:, 0] * first.norm(dim=1, keepdim=True), first)


def test_nearly_parallel_directions_are_still_orthogonal() -> None:
    first = torch.randn(1, 50)
    plane = orthonormal(first, first + 1e-4 * torch.randn(1, 50))
    assert abs(float(plane[0, 0] @ plane[0, 1])) < 1e-6


def test_a_multiple_spans_no_plane() -> None:
    first = torch.randn(2, 50)
    assert (orthonormal(first, -3 * first)[:, 1] == 0).all()
    assert (orthonormal(torch.zeros(2, 50), first)[:, 0] == 0).all()


def test_the_window_is_symmetric_with_the_image_in_its_centre() -> None:
    ab = window(5, 0.3, torch.device("cpu"))
    assert ab.shape == (25, 2) and ab[12].tolist() == [0, 0]
    torch.testing.assert_close(ab, -ab.flip(0))
    assert ab.abs().max() == 0.3
    x, plane = torch.rand(7), torch.eye(7)[:2]
    expected = torch.stack([x + a * plane[0] + b * plane[1] for a, b in ab])
    torch.testing.assert_close(on_plane(x, plane, ab), expected)
