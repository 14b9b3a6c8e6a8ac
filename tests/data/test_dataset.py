from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robustbench_cli.data.dataset import (
    Data,
    Dataset,
    Images,
    batches,
    noisy,
    open_data,
    random_crop,
    random_flip,
    scale,
    statistics,
    stratified,
)
from robustbench_cli.errors import UsageError


def random_images(n: int = 200, channels: int = 3, size: int = 6, classes: int = 4) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, channels, size, size), dtype=np.uint8)
    return Images(torch.from_numpy(pixels), torch.arange(n) % classes)


@dataclass(kw_only=True)
class Made(Dataset):
    """200 training images of four classes; pixel 0 of each image is its number."""

    def load(self, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
        train = random_images()
        train.pixels[:, 0, 0, 0] = torch.arange(200)
        return train, random_images(40), ("a", "b", "c", "d")


def opened(
    validation: float = 0.1, train_fraction: float = 1, noise: float = 0, seed: int = 0
) -> Data:
    return open_data(
        Made(),
        Path("unused"),
        validation=validation,
        train_fraction=train_fraction,
        label_noise=noise,
        seed=seed,
    )


def numbers(images: Images) -> set[int]:
    return set(images.pixels[:, 0, 0, 0].tolist())


def test_statistics_are_numpys() -> None:
    images = random_images()
    pixels = images.pixels.numpy() / 255
    mean, std = statistics(images)
    assert mean == pytest.approx(pixels.mean((0, 2, 3)), abs=1e-9)
    assert std == pytest.approx(pixels.std((0, 2, 3)), abs=1e-9)
    assert statistics(replace(images, pixels=images.x)) == (
        pytest.approx(mean, abs=1e-6),
        pytest.approx(std, abs=1e-6),
    )


def test_a_constant_channel_can_be_divided_by_its_deviation() -> None:
    black = Images(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.zeros(5).long())
    assert statistics(black) == ((0.0,), (0.001,))


def test_uint8_is_scaled_and_float_is_kept() -> None:
    whole = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert scale(whole).tolist() == pytest.approx([0, 0.2, 1])
    pixels = torch.rand(3)
    assert scale(pixels) is pixels


def test_images_know_their_shape_and_can_be_indexed() -> None:
    images = random_images()
    assert images.shape == (3, 6, 6)
    assert len(images[:7]) == len(images[:7].labels) == 7
    assert images[torch.tensor([3, 1])].labels.tolist() == [3, 1]


def test_the_digest_changes_with_one_pixel_one_label_or_the_shape() -> None:
    images = random_images()
    pixels, labels = images.pixels.clone(), images.labels.clone()
    assert replace(images, pixels=pixels, labels=labels).digest() == images.digest()
    pixels[17, 2, 3, 4] += 1
    labels[9] += 1
    changed = [
        replace(images, pixels=pixels),
        replace(images, labels=labels),
        replace(images, pixels=images.pixels.flatten(2)[..., None]),
    ]
    assert len({images.digest(), *(other.digest() for other in changed)}) == 4


def test_the_training_images_are_split_without_loss_or_overlap() -> None:
    data = opened()
    assert (len(data.train), len(data.validation), len(data.test)) == (180, 20, 40)
    assert numbers(data.train) | numbers(data.validation) == set(range(200))
    assert data.validation.labels.bincount().tolist() == [5, 5, 5, 5]
    assert data.train.labels.bincount().tolist() == [45, 45, 45, 45]


def test_the_validation_images_are_the_same_for_every_seed() -> None:
    assert opened(seed=0).validation.digest() == opened(seed=7).validation.digest()
    assert opened(seed=0, train_fraction=0.5, noise=0.3).validation.digest() == (
        opened(seed=7).validation.digest()
    )


def test_no_validation_part() -> None:
    data = opened(validation=0)
    assert len(data.train) == 200
    assert data.validation.pixels.shape == (0, 3, 6, 6)
    assert list(batches(data.validation, 16, shuffle=False)) == []


def test_mean_and_deviation_do_not_depend_on_the_split() -> None:
    assert opened().mean == opened(validation=0.5, train_fraction=0.1, seed=3).mean


def test_a_fraction_of_every_class_is_kept_and_the_seed_draws_it() -> None:
    data = opened(train_fraction=0.2)
    assert data.train.labels.bincount().tolist() == [9, 9, 9, 9]
    assert numbers(data.train) != numbers(opened(train_fraction=0.2, seed=1).train)
    assert numbers(data.train) == numbers(opened(train_fraction=0.2).train)
    assert numbers(data.train).isdisjoint(numbers(data.validation))


def test_label_noise_moves_training_labels_only() -> None:
    clean, noised = opened(), opened(noise=0.3)
    assert torch.equal(clean.train.pixels, noised.train.pixels)
    assert (clean.train.labels != noised.train.labels).sum() == 54  # 0.3 of 180
    assert clean.validation.digest() == noised.validation.digest()
    assert clean.test.digest() == noised.test.digest()


@pytest.mark.parametrize(
    "shares",
    [
        {"validation": -0.1},
        {"validation": 1.5},
        {"train_fraction": 0},
        {"noise": 2},
        {"noise": float("nan")},
    ],
)
def test_shares_are_from_0_to_1(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"is no share; expected a number from 0 to 1"):
        opened(**shares)


@pytest.mark.parametrize("train_fraction", [1, 0.5])
def test_everything_held_out_is_refused(train_fraction: float) -> None:
    with pytest.raises(UsageError, match="--validation 1 leaves no image to train on"):
        opened(validation=1, train_fraction=train_fraction)


def test_stratified_keeps_the_proportions() -> None:
    labels = torch.tensor([0] * 100 + [1] * 40 + [2] * 3)
    index = stratified(labels, 0.1, seed=0)
    assert labels[index].bincount().tolist() == [10, 4, 1]  # of a class at least one
    assert index.tolist() == sorted(set(index.tolist()))
    assert not torch.equal(index, stratified(labels, 0.1, seed=1))
    assert len(stratified(labels, 0, seed=0)) == 0


def test_noisy_labels_are_never_the_old_ones_and_uniform_over_the_others() -> None:
    labels = torch.zeros(9000, dtype=torch.long)
    moved = noisy(labels, 10, 1, seed=0)
    counts = moved.bincount(minlength=10).tolist()
    assert counts[0] == 0
    assert all(900 < count < 1100 for count in counts[1:])
    for share, count in [(0.2, 1800), (0.00017, 2), (0, 0)]:
        assert (noisy(labels, 10, share, seed=0) != labels).sum() == count
    assert torch.equal(moved, noisy(labels, 10, 1, seed=0))
    assert not torch.equal(moved, noisy(labels, 10, 1, seed=1))


@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_show_every_sample_once(shuffle: bool) -> None:
    images, _, _ = Made().load(Path())
    got = list(batches(images, 64, shuffle=shuffle))
    assert [len(labels) for _, labels in got] == [64, 64, 64, 8]
    x, labels = (torch.cat(parts) for parts in zip(*got, strict=True))
    order = (x[:, 0, 0, 0] * 255).round().long()
    assert torch.equal(order.sort().values, torch.arange(200))
    assert torch.equal(x, images.x[order])
    assert torch.equal(labels, images.labels[order])
    assert torch.equal(order, torch.arange(200)) != shuffle


def test_the_order_is_a_function_of_torchs_seed() -> None:
    def epoch(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([x for x, _ in batches(random_images(), 64, crop=1, flip=True)])

    assert torch.equal(epoch(0), epoch(0))
    assert not torch.equal(epoch(0), epoch(1))


def test_a_last_batch_of_one_is_left_out_of_training_only() -> None:
    images = random_images(9)
    assert [len(y) for _, y in batches(images, 4)] == [4, 4]
    assert [len(y) for _, y in batches(images, 4, shuffle=False)] == [4, 4, 1]
    assert [len(y) for _, y in batches(images[:1], 4)] == [1]


def test_batches_of_one_are_all_shown() -> None:
    assert len(list(batches(random_images(9), 1))) == 9


def test_random_crop_is_a_plain_loop_over_samples() -> None:
    pixels = random_images(50, 3, 7).pixels
    torch.manual_seed(0)
    cropped = random_crop(pixels, 2)
    torch.manual_seed(0)
    rows, columns = (torch.randint(5, (50, 1))[:, 0].tolist() for _ in range(2))
    for image, got, row, column in zip(pixels, cropped, rows, columns, strict=True):
        padded = torch.zeros(3, 11, 11, dtype=torch.uint8)
        padded[:, 2:9, 2:9] = image
        assert torch.equal(got, padded[:, row : row + 7, column : column + 7])
    assert len(set(rows)) == len(set(columns)) == 5
    assert cropped.dtype == torch.uint8


def test_random_crop_of_oblong_images() -> None:
    pixels = torch.rand(4, 1, 3, 8)
    cropped = random_crop(pixels, 1)
    assert cropped.shape == pixels.shape
    assert set(cropped.flatten().tolist()) <= {0.0, *pixels.flatten().tolist()}


def test_random_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    pixels = random_images(400).pixels
    flipped = random_flip(pixels)
    kept = (flipped == pixels).flatten(1).all(1)
    mirrored = (flipped == pixels.flip(3)).flatten(1).all(1)
    assert (kept ^ mirrored).all()
    assert 150 < mirrored.sum() < 250
