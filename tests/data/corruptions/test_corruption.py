"""Each corruption against a closed form or the published formula, written down a second time."""

from __future__ import annotations

import colorsys
import math
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robustbench_cli.data.corruptions import blur, digital, noise, weather
from robustbench_cli.data.corruptions.corruption import KINDS, MADE, SEVERITIES, corrupt
from robustbench_cli.data.corruptions.made import Made
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 2, channels: int = 3, side: int = 32) -> Tensor:
    """Smooth shapes with an edge, which blur, noise and JPEG all change."""
    down, right = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
    planes = [
        0.5 + 0.3 * torch.sin(7 * down + 5 * right * (k + 1)) * (right > 0.4)
        for k in range(n * channels)
    ]
    return torch.stack(planes).view(n, channels, side, side)


FLAT = torch.full((8, 3, 32, 32), 0.5)


def test_the_fifteen_of_the_paper_but_frost() -> None:
    assert set(KINDS) - set(MADE) == {"frost"} and len(KINDS) == 15
    assert list(MADE) == [name for name in KINDS if name != "frost"]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_published_strength(severity: int) -> None:
    values = FLAT.numel()
    gaussian = noise.gaussian_noise(FLAT, severity, generator())
    sigma = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    assert float(gaussian.std()) == pytest.approx(sigma, rel=4 / math.sqrt(2 * values))
    shot = noise.shot_noise(FLAT, severity, generator())
    photons = (500, 250, 100, 75, 50)[severity - 1]
    assert float(shot.var()) == pytest.approx(0.5 / photons, rel=8 / math.sqrt(values))
    assert float(shot.mean()) == pytest.approx(0.5, abs=4 * math.sqrt(0.5 / photons / values))
    impulse = noise.impulse_noise(FLAT, severity, generator())
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    for end in (0, 1):  # half of them black, half white, value by value
        found = float((impulse == end).double().mean())
        assert found == pytest.approx(share / 2, abs=4 * math.sqrt(share / 2 / values))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_defocus_kernel_has_the_moments_of_disk_and_rim(severity: int) -> None:
    radius, softness = blur.DEFOCUS[severity - 1]
    kernel = blur.defocus_kernel(radius, softness)
    place = torch.arange(-4, 5).double()
    disk = [(i, j) for i in range(-4, 5) for j in range(-4, 5) if i * i + j * j <= radius**2]
    side = math.exp(-0.5 / softness**2)
    spread = sum(i * i for i, _ in disk) / len(disk) + 2 * side / (1 + 2 * side)
    assert float(kernel.sum()) == pytest.approx(1)
    assert float((kernel.sum(1) * place**2).sum()) == pytest.approx(spread)
    assert torch.equal(kernel, kernel.T) and torch.allclose(kernel, kernel.flip(0))
    point = torch.zeros(1, 1, 32, 32)
    point[0, 0, 16, 16] = 1
    spread_out = blur.defocus_blur(point, severity, generator())
    assert torch.allclose(spread_out[0, 0, 12:21, 12:21], kernel.float())


def test_glass_copies_pixels_as_the_published_loop_does() -> None:
    x = torch.rand(1, 3, 9, 9, generator=generator())
    down, right = torch.randint(-1, 1, (2, 1, 9, 9), generator=generator(1))
    picture = x[0].permute(1, 2, 0).numpy().copy()
    for h in range(8, 1, -1):  # their loop over 31 ... 2 of 32
        for w in range(8, 1, -1):
            to = h + int(down[0, h, w]), w + int(right[0, h, w])
            picture[h, w], picture[to] = picture[to], picture[h, w]
    assert np.array_equal(blur.displaced(x, down, right)[0].permute(1, 2, 0), picture)


@pytest.mark.parametrize(("degrees", "step"), [(0.0, (0, 1)), (90.0, (1, 0)), (-90.0, (-1, 0))])
def test_a_moving_camera_leaves_a_trail_to_one_side(degrees: float, step: tuple[int, int]) -> None:
    point = torch.zeros(1, 1, 33, 33)
    point[0, 0, 16, 16] = 1
    trail = blur.trail(point, 6, 2.0, torch.tensor([degrees]))[0, 0]
    weights = [math.exp(-(i**2) / 8) for i in range(13)]
    for i, weight in enumerate(weights):
        place = 16 - i * step[0], 16 - i * step[1]
        assert float(trail[place]) == pytest.approx(weight / sum(weights), abs=0.5 / 255 + 1e-6)
    assert float(trail.sum()) == pytest.approx(1, abs=13 * 0.5 / 255)


def test_plasma_is_the_diamond_square_algorithm() -> None:
    """One step at a time, point by point, from the same random numbers."""
    size, decay = 8, 2.0
    clouds = weather.plasma(1, size, decay, generator())[0].double()
    drawn, heights = generator(), np.zeros((size, size))
    step, jitter = size, 100.0

    def wobble(n: int) -> np.ndarray:
        return ((2 * torch.rand(n * n, generator=drawn) - 1) * jitter).reshape(n, n).numpy()

    def at(i: int, j: int) -> float:
        return float(heights[i % size, j % size])

    while step >= 2:
        half, n = step // 2, size // step
        near = {(half, half): [(-1, -1), (-1, 1), (1, -1), (1, 1)]}
        near |= {way: [(-1, 0), (1, 0), (0, -1), (0, 1)] for way in [(0, half), (half, 0)]}
        for (down, right), around in near.items():
            moved = wobble(n)
            for i, j in np.ndindex(n, n):
                r, c = i * step + down, j * step + right
                mean = sum(at(r + half * a, c + half * b) for a, b in around) / 4
                heights[r, c] = mean + jitter * moved[i, j]
        step, jitter = half, jitter / decay
    heights = (heights - heights.min()) / (heights.max() - heights.min())
    assert np.allclose(clouds, heights, atol=1e-5)


def test_fog_keeps_the_brightest_pixel_in_range() -> None:
    x, amount = pictures(), weather.FOG[4][0]
    foggy, most = weather.fog(x, 5, generator()), x.amax((1, 2, 3), keepdim=True)
    clouds = (foggy * (most + amount) / most - x) / amount
    assert float(clouds.min()) >= -1e-5 and float(clouds.max()) <= 1 + 1e-5
    assert torch.allclose(clouds[:, 0], clouds[:, 2], atol=1e-5)  # the same in every channel


def test_brightness_is_added_to_the_value_of_hsv() -> None:
    x = torch.rand(1, 3, 4, 4, generator=generator())
    x[0, :, 0, 0] = 0
    found = weather.brightness(x, 4, generator())
    for i, j in np.ndindex(4, 4):
        hue, saturation, value = colorsys.rgb_to_hsv(*x[0, :, i, j].tolist())
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.2))
        assert found[0, :, i, j].tolist() == pytest.approx(expected, abs=1e-5)


def test_contrast_keeps_the_mean_and_scales_the_rest() -> None:
    x = pictures()
    found = digital.contrast(x, 5, generator())
    assert torch.allclose(found.mean((2, 3)), x.mean((2, 3)), atol=1e-6)
    assert torch.allclose(found.std((2, 3)), 0.15 * x.std((2, 3)), atol=1e-6)


def test_an_image_follows_the_three_points() -> None:
    """A plane v = a + b down + c right stays one; at a moved point it has its old value."""
    down, right = torch.meshgrid(*[torch.arange(32.0)] * 2, indexing="ij")
    x = (0.1 + 0.02 * down + 0.005 * right)[None, None]
    moves = torch.tensor([[[2.0, -1.0], [1.0, 2.0], [0.0, 1.0]]])
    found = digital.sheared(x, moves)[0, 0]
    for (across, below), (r, d) in zip([(26, 26), (26, 6), (6, 6)], moves[0].tolist(), strict=True):
        old = 0.1 + 0.02 * below + 0.005 * across
        assert float(found[int(below + d), int(across + r)]) == pytest.approx(old, abs=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_stored_pictures_are_those_of_pillow(channels: int) -> None:
    x = (pictures(1, channels) * 255).round() / 255
    array = (x[0] * 255).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(array if channels == 3 else array[..., 0])
    packed = BytesIO()
    picture.save(packed, "JPEG", quality=58)
    box = Image.Resampling.BOX
    for name, expected in (
        ("jpeg_compression", Image.open(packed)),
        ("pixelate", picture.resize((27, 27), box).resize((32, 32), box)),
    ):
        found = corrupt(x, name, 3, generator())[0].permute(1, 2, 0).numpy()
        assert np.array_equal(found, np.asarray(expected).reshape(32, 32, channels))


GROWING = [  # the others change how they distort along with how much
    name for name in MADE if name not in ("glass_blur", "motion_blur", "elastic_transform")
]


@pytest.mark.parametrize("name", GROWING)
def test_worse_is_further_away(name: str) -> None:
    x = pictures(4)
    far = [float((corrupt(x, name, s, generator()) / 255 - x).norm()) for s in SEVERITIES]
    assert far == sorted(far) and far[0] > 0


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 33), (2, 8, 8)])
def test_every_picture_is_corrupted_into_bytes_of_its_shape(
    name: str, shape: tuple[int, int, int]
) -> None:
    x = torch.rand(3, *shape, generator=generator())
    found = corrupt(x, name, 5, generator(1))
    assert found.dtype == torch.uint8 and found.shape == x.shape
    assert torch.equal(found, corrupt(x, name, 5, generator(1)))


def test_what_is_drawn_depends_on_the_seed_and_the_cell_alone() -> None:
    images = Images((pictures(3) * 255).byte(), torch.arange(3))
    made = Made(images, ["shot_noise", "fog"], seed=1)
    assert len(made.cells) == 10
    (first,) = made.blocks("fog", 2)
    assert torch.equal(first.labels, images.labels)
    (alone,) = Made(images, ["fog"], seed=1).blocks("fog", 2)
    assert torch.equal(first.pixels, alone.pixels)
    (other,) = Made(images, ["fog"], seed=2).blocks("fog", 2)
    assert not torch.equal(first.pixels, other.pixels)


def test_points_are_no_pictures() -> None:
    points = Images(torch.rand(5, 1, 1, 2), torch.arange(5))
    with pytest.raises(UsageError, match="type -n corruptions:only=noise"):
        Made(points)
    (block,) = Made(points, ["gaussian_noise"]).blocks("gaussian_noise", 1)
    assert len(block) == 5
