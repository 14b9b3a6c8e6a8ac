"""Every data set of the folder keeps the contract; digits and spirals are what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.data.datasets.digits import enlarge
from robustbench_cli.epsilon import Eps, eps_range
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import build, describe, names


def load(spec: str, root: Path) -> tuple[Images, Images, tuple[str, ...]]:
    return build(Dataset, spec).load(root)


@pytest.mark.usefixtures("any_md5")
@pytest.mark.parametrize("name", names("datasets"))
def test_every_data_set_keeps_the_contract(
    name: str, tmp_path: Path, written: Callable[[str, Path], str]
) -> None:
    spec = written(name, tmp_path)
    dataset = build(Dataset, spec)
    train, test, classes = dataset.load(tmp_path)
    assert str(dataset) == spec
    assert train.shape == test.shape
    assert len(set(classes)) == len(classes) >= 2
    for part in (train, test):
        assert part.pixels.ndim == 4 and part.pixels.is_contiguous()
        assert part.labels.dtype == torch.long and part.labels.shape == (len(part),)
        assert part.labels.min() >= 0 and part.labels.max() < len(classes)
        assert part.pixels.dtype in (torch.uint8, torch.float32)
        assert 0 <= part.x.min() < part.x.max() <= 1
    again = build(Dataset, spec).load(tmp_path)
    assert [part.digest() for part in again[:2]] == [train.digest(), test.digest()]


@pytest.mark.parametrize("name", names("datasets"))
def test_every_data_set_has_usable_defaults(name: str) -> None:
    dataset = build(Dataset, f"{name}:path" if name in ("folder", "npz") else name)
    assert describe("datasets", name).endswith(".")
    assert dataset.epochs > 0 and dataset.batch_size > 1 and dataset.padding >= 0
    norms = {"linf", "l2"} if name == "spirals" else {"linf", "l2", "l1", "l0"}
    assert {*dataset.eps} == {*dataset.train_eps} == {*dataset.ranges} == norms
    for norm, text in dataset.ranges.items():
        grid = eps_range(text)
        assert float(grid[0]) == 0 and Eps.parse(dataset.eps[norm]) in grid


def test_no_epsilon_is_made_up_where_none_is_usual() -> None:
    with pytest.raises(UsageError, match="no usual l0 epsilons; type them: --eps-range 0:10:1"):
        build(Dataset, "spirals").usual_eps("l0", "ranges")


def test_digits_are_split_stratified_and_need_no_folder() -> None:
    train, test, classes = load("digits", Path("/nowhere"))
    assert classes == tuple("0123456789")
    assert (len(train), len(test), train.shape) == (1297, 500, (1, 28, 28))
    assert test.labels.bincount().sub(50).abs().max() <= 2
    originals = sorted(load_digits().target.tolist())
    assert sorted(train.labels.tolist() + test.labels.tolist()) == originals
    # the same bytes and the same split everywhere: numbers of different machines can be compared
    assert (train.digest(), test.digest()) == ("d9fe1e88e216b9c7", "e8b5e73ddde57db2")


def test_digits_are_enlarged_bilinearly_and_upright() -> None:
    scans = load_digits().images[:50]
    whole = enlarge(scans.astype(np.int64))
    reference = F.interpolate(
        torch.from_numpy(scans)[:, None] * 255 / 16, size=28, mode="bilinear", align_corners=False
    )
    assert whole.dtype == np.uint8
    assert np.abs(whole - reference[:, 0].numpy()).max() <= 0.5 + 1e-9


def test_spirals_are_arms_around_the_centre() -> None:
    train, test, classes = load("spirals:samples=600,arms=3,noise=0", Path())
    assert classes == ("arm 1", "arm 2", "arm 3")
    assert train.shape == (1, 1, 2) and train.pixels.dtype == torch.float32
    assert train.labels.bincount().tolist() == [200, 200, 200]
    assert train.labels[:6].tolist() == [0, 1, 2, 0, 1, 2]  # so that the first n are balanced
    x, y = (train.pixels.reshape(-1, 2) - 0.5).T
    t = ((x**2 + y**2).sqrt() - 0.05) / 0.4
    turned = torch.atan2(y, x) / (2 * torch.pi) - 1.5 * t - train.labels / 3
    assert (turned - turned.round()).abs().max() < 1e-3
    assert not torch.equal(train.pixels, test.pixels)


def test_the_nearest_training_point_nearly_always_has_the_class() -> None:
    train, test, _ = load("spirals", Path())
    nearest = torch.cdist(test.pixels.flatten(1), train.pixels.flatten(1)).argmin(1)
    assert (train.labels[nearest] == test.labels).float().mean() > 0.99


def test_the_seed_and_the_noise_of_spirals() -> None:
    base, other, wild = (load(f"spirals{s}", Path())[0] for s in ("", ":seed=1", ":noise=1"))
    assert base.digest() != other.digest()
    assert wild.pixels.min() == 0 and wild.pixels.max() == 1
    with pytest.raises(UsageError, match=r"spirals: arms=1 is outside \[2, 10\]"):
        build(Dataset, "spirals:arms=1")
