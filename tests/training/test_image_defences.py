"""Image transformations at test time, against Pillow, torch's own resizing and closed forms."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import stats
from torch import Tensor

from robustbench_cli.spec import build
from robustbench_cli.training.defences.averaging import Averaged
from robustbench_cli.training.defences.denoise import differences, smoothest
from robustbench_cli.training.defences.jpeg_codec import chroma_table, compress, cosines, luma_table
from robustbench_cli.training.defences.placing import (
    Spans,
    place,
    random_lengths,
    random_spans,
    whole,
)
from robustbench_cli.training.defences.surrogate import replace_value, rounded
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods import rotation, total_variation
from robustbench_cli.training.methods.rotation import rotate


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def smooth(*shape: int) -> Tensor:
    """Images with structure, as compression expects them."""
    return F.interpolate(draw(*shape[:2], 5, 5), shape[2:], mode="bicubic").clamp(0, 1)


# --- placing ---


@pytest.mark.parametrize(("mode", "torch_mode"), [("nearest", "nearest-exact"), ("bilinear",) * 2])
@pytest.mark.parametrize("size", [(5, 9), (12, 7), (8, 11)])
def test_resizing_is_torchs(mode: str, torch_mode: str, size: tuple[int, int]) -> None:
    x, device = draw(2, 3, 8, 11), torch.device("cpu")
    source, target = ((whole(2, s[0], device), whole(2, s[1], device)) for s in (x.shape[2:], size))
    found = place(x, source, target, size, mode)  # type: ignore[arg-type]
    torch.testing.assert_close(found, F.interpolate(x, size, mode=torch_mode))


def test_each_image_is_cut_and_placed_by_itself() -> None:
    x = draw(2, 1, 6, 6)

    def spans(first: list[float], length: list[float]) -> Spans:
        return Spans(torch.tensor(first), torch.tensor(length))

    lengths = [3.0, 4.0]
    source = spans([1, 2], lengths), spans([0, 1], lengths)
    target = spans([3, 0], lengths), spans([2, 1], lengths)
    found = place(x, source, target, (6, 6), "nearest")
    expected = torch.zeros(2, 1, 6, 6)
    expected[0, :, 3:6, 2:5] = x[0, :, 1:4, 0:3]
    expected[1, :, 0:4, 1:5] = x[1, :, 2:6, 1:5]
    assert torch.equal(found, expected)


def test_a_crop_that_is_enlarged_sees_nothing_from_outside_it() -> None:
    x = draw(1, 2, 8, 8)
    part, everything = Spans(torch.tensor([2.0]), torch.tensor([5.0])), whole(1, 8, x.device)
    found = place(x, (part, part), (everything, everything), (8, 8), "bilinear")
    torch.testing.assert_close(found, F.interpolate(x[:, :, 2:7, 2:7], (8, 8), mode="bilinear"))


def test_random_sizes_and_places_are_uniform_and_fit() -> None:
    torch.manual_seed(0)
    heights, widths = random_lengths(torch.zeros(5000, 1, 32, 16), 0.75, 1)
    assert set(heights.tolist()) == set(range(24, 33))
    assert set(widths.tolist()) == set(range(12, 17))
    places = random_spans(torch.full((5000,), 28.0), 32)
    assert np.bincount(places.first.long().numpy(), minlength=5).min() > 900
    assert places.first.max() == 4


# --- rotation ---


def test_quarter_turns_are_exact_and_counterclockwise() -> None:
    x = draw(3, 2, 5, 5)
    quarter = torch.tensor([0.0, 0.5, 1.0]) * torch.pi
    expected = torch.stack([x[0], x[1].rot90(1, (1, 2)), x[2].rot90(2, (1, 2))])
    torch.testing.assert_close(rotate(x, quarter), expected, atol=1e-5, rtol=0)


def test_small_turns_are_pillows() -> None:
    x = smooth(1, 1, 24, 32)
    level = Image.fromarray((x[0, 0] * 255).round().byte().numpy())
    turned = np.asarray(level.rotate(15, Image.Resampling.BILINEAR)) / 255
    found = rotate(x, torch.tensor([15 * torch.pi / 180]))[0, 0].numpy()
    inner = np.s_[8:16, 8:24]  # Pillow lets no black shine in at the border
    assert np.abs(found - turned)[inner].max() < 0.01


# --- JPEG ---


def pillows(x: Tensor, quality: int, subsampling: int) -> Tensor:
    level = (x[0].permute(1, 2, 0) * 255).round().byte().numpy()
    file = io.BytesIO()
    image = Image.fromarray(level[..., 0] if level.shape[2] == 1 else level)
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    read = torch.from_numpy(np.asarray(Image.open(file)) / 255).float()
    return read[None, None] if read.ndim == 2 else read.permute(2, 0, 1)[None]


@pytest.mark.parametrize("quality", [10, 50, 75, 95])
@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (1, 3, 32, 40)])
def test_jpeg_is_libjpegs_up_to_its_integer_arithmetic(
    quality: int, shape: tuple[int, int, int, int]
) -> None:
    x = smooth(*shape)
    error = (compress(x, quality, False, "none") - pillows(x, quality, 0)).abs() * 255
    assert error.mean() < 1 and error.quantile(0.99) < 7


def test_halved_chroma_is_libjpegs() -> None:
    x = smooth(1, 3, 32, 32)
    error = (compress(x, 75, True, "none") - pillows(x, 75, 2)).abs() * 255
    assert error.mean() < 1.5 and error.quantile(0.99) < 10


def test_the_tables_are_those_that_pillow_writes() -> None:
    for quality in (1, 25, 75, 100):
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
        tables = Image.open(file).quantization  # type: ignore[attr-defined]
        for number, table in enumerate((luma_table(quality), chroma_table(quality))):
            assert table.flatten().tolist() == list(tables[number])


def test_the_cosine_transform_is_orthonormal() -> None:
    basis = cosines(torch.float64)
    torch.testing.assert_close(basis @ basis.T, torch.eye(8, dtype=torch.float64))


# --- total variation ---


def objective(z: Tensor, x: Tensor, kept: Tensor, weight: float) -> float:
    below, beside = differences(z)
    return float((kept * (z - x) ** 2).sum() / 2 + weight * (below**2 + beside**2).sqrt().sum())


def test_two_pixels_approach_each_other_by_twice_the_weight() -> None:
    x = torch.tensor([[[[0.2, 0.8]]]])
    found = smoothest(x, torch.ones_like(x), 0.1, 300)
    torch.testing.assert_close(found, torch.tensor([[[[0.3, 0.7]]]]), atol=1e-4, rtol=0)
    flat = smoothest(x, torch.ones_like(x), 0.5, 300)
    torch.testing.assert_close(flat, torch.full_like(x, 0.5), atol=1e-4, rtol=0)


def test_nothing_near_the_result_is_better() -> None:
    x, kept = draw(1, 1, 7, 7).double(), (draw(1, 1, 7, 7, seed=1) > 0.5).double()
    found = smoothest(x, kept, 0.05, 3000)
    best = objective(found, x, kept, 0.05)
    assert best < objective(x, x, kept, 0.05)
    for seed in range(20):
        move = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).double()
        for size in (1e-3, 1e-2, 0.1):
            assert objective(found + size * move, x, kept, 0.05) > best - 1e-6


def test_a_forgotten_pixel_takes_the_colour_around_it() -> None:
    x, kept = torch.full((1, 1, 5, 5), 0.6), torch.ones(1, 1, 5, 5)
    x[..., 2, 2], kept[..., 2, 2] = 0.0, 0.0
    assert abs(float(smoothest(x, kept, 0.03, 500)[..., 2, 2]) - 0.6) < 0.02


def test_the_unrolled_gradient_is_that_of_the_iteration() -> None:
    x = draw(1, 1, 3, 4).double().requires_grad_()
    kept = (draw(1, 1, 3, 4, seed=2) > 0.3).double()
    assert torch.autograd.gradcheck(lambda x: smoothest(x, kept, 0.05, 6), x, atol=1e-4)


# --- the random defences, read back from their images ---


def varied(text: str, x: Tensor) -> Tensor:
    """One random version of each image."""
    method = build(Method, text)
    assert isinstance(method, Averaged)
    torch.manual_seed(0)
    return method.vary(x)


def crops(image: Tensor, size: int) -> list[Tensor]:
    """All square parts of `size` pixels of one image (C, S, S)."""
    room = range(image.shape[1] - size + 1)
    return [image[:, r : r + size, c : c + size] for r, c in itertools.product(room, room)]


def test_a_crop_is_enlarged_as_torch_does_it() -> None:
    x, sizes = draw(60, 1, 12, 12), []
    for image, found in zip(x, varied("crop-resize", x), strict=True):
        sizes += [
            size
            for size in (9, 10, 11, 12)
            for part in crops(image, size)
            if torch.allclose(
                F.interpolate(part[None], (12, 12), mode="bilinear")[0], found, atol=1e-5
            )
        ]
    assert len(sizes) == 60 and set(sizes) == {9, 10, 11, 12}, "each is one crop, of any size"


@pytest.mark.parametrize(
    ("text", "canvas", "sizes"),
    [
        ("resize-pad:kind=crop", 12, (9, 10, 11, 12)),
        ("resize-pad:low=1.1,high=1.5", 18, (13, 14, 15, 16, 17, 18)),
        ("resize-pad:low=0.8,high=1", 12, (10, 11, 12)),
    ],
)
def test_an_image_stands_anywhere_on_black(text: str, canvas: int, sizes: tuple[int, ...]) -> None:
    x, seen, places = 0.1 + draw(150, 1, 12, 12), [], set()
    shown = varied(text, x)
    assert shown.shape == (150, 1, canvas, canvas)
    for image, found in zip(x, shown, strict=True):
        rows, columns = found[0].any(1).nonzero()[:, 0], found[0].any(0).nonzero()[:, 0]
        size, top, left = len(rows), int(rows[0]), int(columns[0])
        part = found[:, top : top + size, left : left + size]
        if "crop" in text:
            assert any(torch.equal(part, each) for each in crops(image, size))
        else:
            resized = F.interpolate(image[None], (size, size), mode="nearest-exact")[0]
            assert torch.equal(part, resized)
        assert torch.count_nonzero(found) == size**2
        seen.append(size)
        places.add((size, top, left))
    assert set(seen) == set(sizes)
    smallest = {(top, left) for size, top, left in places if size == sizes[0]}
    assert len(smallest) > 10 or len(smallest) == (canvas - sizes[0] + 1) ** 2


def test_angles_are_uniform_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []
    monkeypatch.setattr(rotation, "rotate", lambda x, angles: (drawn.append(angles), x)[1])
    varied("rotation", torch.zeros(3000, 1, 2, 2))
    assert stats.kstest(drawn[0].numpy() * 180 / np.pi, stats.uniform(-20, 40).cdf).pvalue > 1e-3


def test_total_variation_forgets_whole_pixels_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Tensor] = []

    def spy(x: Tensor, kept: Tensor, weight: float, steps: int) -> Tensor:
        given.append(kept)
        assert (weight, steps) == (0.03, 50)
        return 0.5 * x

    monkeypatch.setattr(total_variation, "smoothest", spy)
    x = draw(20, 3, 30, 30)
    assert torch.equal(varied("total-variation:drop=0.3", x), 0.5 * x)
    kept = given[0].expand_as(x)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert kept.mean().item() == pytest.approx(0.7, abs=0.01)
    assert torch.equal(kept[:, 0], kept[:, 2]) and not torch.equal(kept[0], kept[1])


# --- gradients through what has none ---


def test_rounding_passes_the_gradient_or_hides_it() -> None:
    x = draw(4).requires_grad_()
    out = rounded(3 * x, "straight-through")
    assert torch.equal(out, (3 * x).round())
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(gradient, torch.full((4,), 3.0))
    assert not rounded(x, "none").requires_grad
    value = x**2
    (own,) = torch.autograd.grad(replace_value(x, value, "unrolled").sum(), x)
    assert torch.equal(own, 2 * x.detach())


@pytest.mark.parametrize("subsample", [False, True])
def test_the_gradient_through_jpeg_is_that_of_its_linear_parts(subsample: bool) -> None:
    x = (0.3 + 0.4 * smooth(1, 3, 16, 16)).requires_grad_()
    weights = draw(1, 3, 16, 16, seed=3)
    out = (compress(x, 75, subsample, "straight-through") * weights).sum()
    (gradient,) = torch.autograd.grad(out, x)
    if not subsample:  # the transform and its inverse cancel
        torch.testing.assert_close(gradient, weights, atol=1e-3, rtol=1e-3)
    assert gradient.abs().min() >= 0 and gradient.norm() > 0.5 * weights.norm()
