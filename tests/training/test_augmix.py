"""AugMix: operations against Pillow, image by image; the divergence against scipy."""

from __future__ import annotations

import math
import random
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from scipy.special import rel_entr
from small import make_batch, make_model, quick
from torch import Tensor

from robustbench_cli.training.augmenting import image_ops
from robustbench_cli.training.augmenting.augmentation import KINDS, augment, matrices, run_chains
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.augmix import jensen_shannon
from robustbench_cli.training.objective import Objective


def levels(n: int, channels: int = 3, height: int = 20, width: int = 28) -> Tensor:
    """Half of the images noise, half of a few levels; whole numbers from 0 to 255."""
    torch.manual_seed(0)
    x = torch.randint(256, (n, channels, height, width)).float()
    x[: n // 4] = (x[: n // 4] * 0.4 + 30).floor()
    x[n // 4 : n // 2] = (x[n // 4 : n // 2] / 50).floor() * 40
    x[0] = 7  # a flat image
    return x


def to_pillow(x: Tensor) -> Image.Image:
    array = x.permute(1, 2, 0).byte().numpy()
    return Image.fromarray(array if len(x) == 3 else array[..., 0])


def from_pillow(image: Image.Image) -> Tensor:
    array = np.array(image)
    return torch.from_numpy(array.reshape(*array.shape[:2], -1)).permute(2, 0, 1).float()


def pillow(kind: int, image: Image.Image, amount: float, sign: int) -> Image.Image:
    """The authors' operation number `kind`, after its draws."""
    width, height = image.size
    if kind == 0:
        return ImageOps.autocontrast(image)
    if kind == 1:
        return ImageOps.equalize(image)
    if kind == 2:
        return ImageOps.posterize(image, 4 - int(amount * 4 / 10))
    if kind == 3:
        return ImageOps.solarize(image, 256 - int(amount * 256 / 10))
    if kind == 4:
        return image.rotate(sign * int(amount * 30 / 10), resample=Image.Resampling.BILINEAR)
    shear = sign * amount * 0.3 / 10
    right, down = (sign * int(amount * (side / 3) / 10) for side in (width, height))
    plan = {
        5: (1, shear, 0, 0, 1, 0),
        6: (1, 0, 0, shear, 1, 0),
        7: (1, 0, right, 0, 1, 0),
        8: (1, 0, 0, 0, 1, down),
    }[kind]
    affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return image.transform(image.size, affine, plan, resample=bilinear)


def assert_levels_equal(ours: Tensor, theirs: Tensor, *, off_by_one: float = 0.0) -> None:
    assert (ours - theirs).abs().max() <= (1 if off_by_one else 0)
    assert (ours != theirs).float().mean() <= off_by_one


@pytest.mark.parametrize("channels", [1, 3])
def test_pointwise_operations_are_pillows(channels: int) -> None:
    x = levels(24, channels)
    images = [to_pillow(image) for image in x]
    # Pillow's own rounding takes one from some results of autocontrast that are whole
    for name, off in (("autocontrast", 0.01), ("equalize", 0.0)):
        theirs = torch.stack([from_pillow(getattr(ImageOps, name)(i)) for i in images])
        assert_levels_equal(getattr(image_ops, name)(x), theirs, off_by_one=off)
    bits = torch.arange(24) % 8 + 1
    theirs = [from_pillow(ImageOps.posterize(i, int(b))) for i, b in zip(images, bits, strict=True)]
    assert_levels_equal(image_ops.posterize(x, bits), torch.stack(theirs))
    thresholds = torch.arange(24) * 11 + 3
    theirs = [
        from_pillow(ImageOps.solarize(i, int(t))) for i, t in zip(images, thresholds, strict=True)
    ]
    assert_levels_equal(image_ops.solarize(x, thresholds), torch.stack(theirs))


@pytest.mark.parametrize("kind", [4, 5, 6, 7, 8])
@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 36)])
def test_moving_operations_are_pillows(kind: int, height: int, width: int) -> None:
    x = levels(30, 3, height, width)
    amount, sign = 0.1 + 9.9 * torch.rand(30), torch.randint(2, (30,)) * 2 - 1
    ours = image_ops.warp(x, matrices(torch.full((30,), kind), amount, sign, height, width))
    theirs = [
        from_pillow(pillow(kind, to_pillow(image), float(a), int(s)))
        for image, a, s in zip(x, amount, sign, strict=True)
    ]
    exact = kind >= 7  # whole pixels; elsewhere the last level may be rounded otherwise
    assert_levels_equal(ours, torch.stack(theirs), off_by_one=0.0 if exact else 3e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_chains_in_groups_equal_pillow_on_every_image_by_itself(channels: int) -> None:
    x, severity = levels(120, channels), 3.0
    torch.manual_seed(5)
    ours = run_chains(x.clone(), severity, 1)
    torch.manual_seed(5)  # the same draws, in the same order
    kind = torch.randint(KINDS, (120,))
    amount = 0.1 + (severity - 0.1) * torch.rand(120)
    sign = torch.randint(2, (120,)) * 2 - 1
    theirs = [
        from_pillow(pillow(int(k), to_pillow(image), float(a), int(s)))
        for image, k, a, s in zip(x, kind, amount, sign, strict=True)
    ]
    assert len(kind.unique()) == KINDS
    assert_levels_equal(ours, torch.stack(theirs), off_by_one=3e-3)


def test_amounts_are_uniform_and_chains_have_one_to_three_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, Tensor]] = []

    def spy(group: int, x: Tensor, how: Tensor) -> Tensor:
        if group == 3:
            calls.append((len(x), how))
        return x + 1000  # counts how many operations each image went through

    monkeypatch.setattr("robustbench_cli.training.augmenting.augmentation.apply", spy)
    torch.manual_seed(0)
    ran = run_chains(torch.zeros(6000, 1, 1, 1), 3.0, 0).flatten() / 1000
    for depth in (1, 2, 3):
        assert (ran == depth).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    assert len(calls) == 3
    share = sum(n for n, _ in calls) / ran.sum().item()
    assert share == pytest.approx(1 / KINDS, abs=0.01)
    amounts = torch.cat([how for _, how in calls])
    assert amounts.min() >= 0.1 and amounts.max() <= 3
    assert amounts.mean().item() == pytest.approx(1.55, abs=0.08)
    assert (run_chains(torch.zeros(50, 1, 1, 1), 3.0, 2) == 2000).all()


def test_mixtures_are_convex_with_dirichlet_and_uniform_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chain i paints everything in the level 51·i, the image is black: colours tell the weights."""

    def paint(x: Tensor, severity: float, depth: int) -> Tensor:
        return (torch.arange(len(x)) // (len(x) // 6) % 3 * 51.0)[:, None, None, None] + 0 * x

    monkeypatch.setattr("robustbench_cli.training.augmenting.augmentation.run_chains", paint)
    random.seed(0)
    n = 4000
    mixed = augment(torch.zeros(n, 1, 1, 1), 2, severity=3.0, width=3, depth=0)
    assert mixed.shape == (2, n, 1, 1, 1)
    value = mixed.flatten() * 5  # m·(w₁ + 2w₂)
    assert value.min() >= 0 and value.max() <= 2
    assert value.mean().item() == pytest.approx(0.5, abs=0.02)  # E m · (E w₁ + 2 E w₂)
    # E m² = 1/3; of Dirichlet(1,1,1): E w² = 1/6, E w₁w₂ = 1/12
    second = (1 / 6 + 4 / 6 + 4 / 12) / 3
    assert value.square().mean().item() == pytest.approx(second, rel=0.05)
    assert abs(torch.corrcoef(mixed.flatten(1))[0, 1].item()) < 0.06, "views are independent"


def test_augmented_images_stay_images_and_chains_begin_at_whole_levels() -> None:
    x = torch.rand(16, 3, 9, 9) * 2 - 0.5  # as after noise that is not clamped
    before = x.clone()
    views = augment(x, 3, severity=10.0, width=2, depth=0)
    assert views.shape == (3, *x.shape) and torch.equal(x, before)
    inside = (x >= 0) & (x <= 1)
    assert views[:, inside].min() >= 0 and views[:, inside].max() <= 1 + 1e-6
    black = augment(torch.zeros(8, 1, 9, 9), 1, severity=3.0, width=3, depth=0)
    assert (black == 0).all(), "every operation of this severity leaves black images black"


def test_the_divergence_is_scipys() -> None:
    logits = [3 * torch.randn(6, 5) for _ in range(3)]
    p = np.stack([z.double().softmax(1).numpy() for z in logits])
    expected = rel_entr(p, p.mean(0)).sum(2).mean()
    assert jensen_shannon(logits).item() == pytest.approx(expected, rel=1e-5)


def test_the_divergence_is_zero_for_equals_and_at_most_log_of_their_number() -> None:
    z = torch.randn(4, 5)
    assert jensen_shannon([z, z, z]).item() == pytest.approx(0, abs=1e-6)
    apart = [100.0 * F.one_hot(torch.full((4,), k), 5) for k in range(3)]
    assert jensen_shannon(apart).item() == pytest.approx(math.log(3), rel=1e-5)


class Fixed(Method):
    """Keeps the batches that arrive at it."""

    batches: list[Batch]

    def step(self, model, batch, rest):  # type: ignore[no-untyped-def]
        Fixed.batches.append(batch)
        return rest(model, batch)


def test_the_loss_is_that_of_the_clean_images_and_twelve_divergences() -> None:
    model, batch, Fixed.batches = make_model(), make_batch(), []
    copy = deepcopy(model)
    outcome = Objective(model, [*quick("augmix"), Fixed()])(batch)
    clean, first, second = Fixed.batches
    assert clean.x is batch.x
    assert not torch.equal(first.x, second.x)
    logits = [copy(b.x) for b in (clean, first, second)]
    p = np.stack([z.detach().double().softmax(1).numpy() for z in logits])
    divergence = rel_entr(p, p.mean(0)).sum(2).mean()
    expected = F.cross_entropy(logits[0], batch.y).item() + 12 * divergence
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(outcome.logits, logits[0])


def test_one_view_is_training_on_it_alone() -> None:
    model, batch, Fixed.batches = make_model(), make_batch(), []
    copy = deepcopy(model)
    outcome = Objective(model, [*quick("augmix:views=1"), Fixed()])(batch)
    (only,) = Fixed.batches
    assert not torch.equal(only.x, batch.x) and torch.equal(only.y, batch.y)
    torch.testing.assert_close(outcome.loss, F.cross_entropy(copy(only.x), batch.y))
