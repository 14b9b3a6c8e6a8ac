"""Against SciPy, which the authors' code calls, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from robustbench_cli.data.corruptions.resampling import (
    Border,
    between,
    enlarged,
    inside,
    smooth,
)

X = torch.rand(2, 3, 12, 9, generator=torch.Generator().manual_seed(0))
SCIPY: dict[Border, str] = {"edge": "nearest", "mirror": "mirror", "symmetric": "reflect"}


@pytest.mark.parametrize(
    ("border", "expected"), [("edge", "aaabccc"), ("mirror", "cbabcba"), ("symmetric", "baabccb")]
)
def test_what_lies_beyond_the_border(border: Border, expected: str) -> None:
    places = inside(torch.arange(-2, 5), 3, border)
    assert "".join("abc"[i] for i in places) == expected


@pytest.mark.parametrize("border", SCIPY)
@pytest.mark.parametrize("sigma", [0.05, 0.25, 0.4, 4.0])
def test_smoothing_is_that_of_scipy(border: Border, sigma: float) -> None:
    expected = ndimage.gaussian_filter(
        X.double().numpy(), (0, 0, sigma, sigma), mode=SCIPY[border], truncate=4
    )
    assert np.allclose(smooth(X, sigma, border=border), expected, atol=1e-6)


@pytest.mark.parametrize("border", SCIPY)
def test_reading_between_pixels_is_that_of_scipy(border: Border) -> None:
    rows, columns = torch.rand(2, 2, 5, 4, generator=torch.Generator().manual_seed(1)) * 24 - 8
    found = between(X, rows, columns, border)
    for image, r, c, out in zip(X, rows, columns, found, strict=True):
        for channel, seen in zip(image, out, strict=True):
            expected = ndimage.map_coordinates(
                channel.numpy(), [r.numpy(), c.numpy()], order=1, mode=SCIPY[border]
            )
            assert np.allclose(seen, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1.01, 1.13, 1.26, 1.75, 2.25])
def test_enlarging_is_scipys_zoom_of_the_middle(factor: float) -> None:
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    kept = int(np.ceil(32 / factor))
    start = (32 - kept) // 2
    middle = x[0, 0, start : start + kept, start : start + kept].numpy()
    grown = ndimage.zoom(middle, (factor, factor), order=1)
    cut = (len(grown) - 32) // 2
    assert np.allclose(enlarged(x, factor)[0, 0], grown[cut : cut + 32, cut : cut + 32], atol=1e-5)
