"""Images that are read in parts are, to the bit, those that are held."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from robustbench_cli import evaluate, train
from robustbench_cli.data.dataset import Data, Dataset, batches, open_data
from robustbench_cli.data.holding import images_of
from robustbench_cli.data.images import Images, Streamed
from robustbench_cli.data.memory import VARIABLE
from robustbench_cli.data.sources import InMemory, Pictures
from robustbench_cli.spec import build
from robustbench_cli.training.defences.pool import Pool
from robustbench_cli.training.loop.files import overlap
from robustbench_cli.training.methods.quilting import Quilting

SHAPE = (3, 6, 5)


def both(n: int = 23) -> tuple[Images, Streamed]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n, *SHAPE), dtype=torch.uint8, generator=generator)
    labels = torch.arange(n) % 3
    return Images(pixels, labels), Streamed(Pictures(n, SHAPE, pixels.__getitem__, str), labels)


def same(one: Images, other: Images) -> bool:
    return torch.equal(one.pixels, other.pixels) and torch.equal(one.labels, other.labels)


@pytest.mark.parametrize(
    "index", [slice(3, 9), slice(0, 0), torch.tensor([5, 1, 5]), torch.arange(23) % 2 == 0]
)
def test_a_part_is_the_same_part(index: slice | Tensor) -> None:
    held, streamed = both()
    assert same(held[index], streamed[index])
    assert same(held[index][1:], streamed[index][1:])
    assert len(streamed[index]) == len(held[index])


def test_what_is_known_without_reading() -> None:
    def refuse(place: int) -> Tensor:
        raise AssertionError(f"{place} was read")

    streamed = Streamed(Pictures(9, SHAPE, refuse, str), torch.arange(9))
    part = streamed.named(("a", "b"))[2:5].relabelled(torch.tensor([1, 0, 1]))
    assert (part.shape, part.dtype, len(part)) == (SHAPE, torch.uint8, 3)
    assert part.classes == ("a", "b") and part.labels.tolist() == [1, 0, 1]
    assert part.to(torch.device("cpu")).places.tolist() == [2, 3, 4]
    with pytest.raises(AssertionError, match="2 was read"):
        _ = part.x


def test_digests_and_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    held, streamed = both()
    assert streamed[4:].digest() == held[4:].digest()
    monkeypatch.setattr("robustbench_cli.data.images._BLOCK", 7 * 90)  # seven images
    assert [len(block) for block in streamed.blocks()] == [7, 7, 7, 2]
    assert streamed[:22].digest() == held[:22].digest()
    moved = streamed.relabelled(held.labels.flip(0))
    assert moved.digest() == held.relabelled(held.labels.flip(0)).digest() != held.digest()


def test_a_digest_is_read_once_until_a_file_changes() -> None:
    held, _ = both()
    mark, reads = ["first"], []

    def decode(place: int) -> Tensor:
        reads.append(place)
        return held.pixels[place]

    streamed = Streamed(Pictures(len(held), SHAPE, decode, lambda: mark[0]), held.labels)
    for _ in range(2):
        assert streamed.digest() == held.digest()
    assert len(reads) == len(held)
    mark[0] = "second"
    streamed.digest()
    assert len(reads) == 2 * len(held)


@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_is_the_same_with_its_crops_and_mirrored_images(shuffle: bool) -> None:
    epochs = []
    for images in both():
        torch.manual_seed(1)
        epochs.append([*batches(images, 4, crop=2, flip=True, shuffle=shuffle)])
        epochs[-1].append((torch.rand(3), torch.zeros(0)))  # as much randomness was used
    assert len(epochs[0]) == len(epochs[1])
    for one, other in zip(*epochs, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_one_part_is_read_ahead_and_no_more() -> None:
    held, _ = both()
    reads: list[int] = []

    def decode(place: int) -> Tensor:
        reads.append(place)
        return held.pixels[place]

    streamed = Streamed(Pictures(len(held), SHAPE, decode, str), held.labels)
    parts = streamed.each(torch.split(torch.arange(20), 4))
    next(parts)
    parts.close()  # waits for what is being read
    assert sorted(reads) == [*range(8)]


def test_an_error_while_reading_ahead_reaches_the_reader() -> None:
    def decode(place: int) -> Tensor:
        raise OSError(f"no {place}")

    with pytest.raises(OSError, match="no "):
        [*Streamed(Pictures(20, SHAPE, decode, str), torch.arange(20)).blocks()]


def test_pools_and_patches_are_drawn_alike() -> None:
    held, streamed = both()
    assert torch.equal(Pool(held, 4, 0).pixels, Pool(streamed, 4, 0).pixels)
    patches = []
    for images in (held, streamed):
        method = Quilting(patch=3, overlap=1, pool=600)
        method.prepare(images)
        patches.append(method._patches)
    assert torch.equal(patches[0], patches[1])


def test_what_lies_here_is_read_for_a_device_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    held, _ = both()
    monkeypatch.setattr("robustbench_cli.data.images.fits_device", lambda *_: False)
    moved = held.to(torch.device("cpu"))
    assert isinstance(moved, Streamed) and isinstance(moved.source, InMemory)
    assert same(held, moved) and moved.digest() == held.digest()


def test_reading_in_parts_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held, streamed = both()
    assert type(images_of(streamed.source, held.labels, "mine")) is Images
    monkeypatch.setenv(VARIABLE, "0")
    for _ in range(2):
        assert same(held, images_of(streamed.source, held.labels, "mine"))
    (said,) = caplog.messages
    assert said == (
        "mine: 23 images of 0.0 GiB are read in parts, as they are used; "
        "ROBUSTMIX_HOLD=1G would hold them"
    )


@pytest.fixture
def spec(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    for part, n in (("train", 30), ("test", 12)):
        for k in range(n):
            name = ("dark", "bright")[k % 2]
            (tmp_path / part / name).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 120, (9, 8, 3)) + 100 * (k % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / part / name / f"{k}.png")
    return f"folder:{tmp_path},resize=7,crop=6"


def test_a_split_set_with_noisy_labels(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Data] = []
    for hold in ("1G", "0"):
        monkeypatch.setenv(VARIABLE, hold)
        options = {"validation": 0.2, "train_fraction": 0.5, "label_noise": 0.3}
        found.append(open_data(build(Dataset, spec), Path(), **options))  # type: ignore[arg-type]
    held, streamed = found
    assert type(held.train) is Images and isinstance(streamed.train, Streamed)
    assert held.facts() == streamed.facts()
    assert (held.mean, held.std) == (streamed.mean, streamed.std)
    assert overlap(held) == overlap(streamed)
    assert held.validation.digest() == streamed.validation.digest()


def test_a_training_and_an_attack_give_the_same_bytes(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    weights, rows = [], []
    for n, hold in enumerate(("1G", "0")):
        monkeypatch.setenv(VARIABLE, hold)
        os.utime(tmp_path / "test" / "dark" / "0.png", (0, n))  # what was loaded is loaded again
        options = {"model": "mlp:width=8", "epochs": 2, "batch_size": 8, "device": "cpu"}
        run = train(data=spec, runs_dir=tmp_path / hold, **options)  # type: ignore[arg-type]
        weights.append(load_file(run.path / "model.safetensors"))
        found = evaluate(run, attack="linf-pgd:steps=3", epsilons="0.02,0.1", device="cpu")
        rows.append(found.samples)
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert rows[0].equals(rows[1])


@pytest.mark.parametrize("kind", ["npz", "npy", "channels first"])
def test_arrays_are_read_where_they_lie(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 7, 5, 3), dtype=np.uint8)
    x = x.transpose(0, 3, 1, 2).copy() if kind == "channels first" else x
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(20) % 2)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(20) % 2)
    pair = f"npz:{tmp_path}/x.npy,labels={tmp_path}/y.npy"
    spec = f"npz:{tmp_path}/own.npz" if kind == "npz" else pair
    found = []
    for hold in ("1G", "1K"):
        monkeypatch.setenv(VARIABLE, hold)
        found.append(build(Dataset, spec).load(tmp_path))
    for held, streamed in zip(found[0][:2], found[1][:2], strict=True):
        assert type(held) is Images and isinstance(streamed, Streamed)
        assert same(held, streamed) and held.digest() == streamed.digest()


def test_a_file_that_becomes_shorter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.full((20, 5, 5, 3), 9, np.uint8))
    np.save(tmp_path / "y.npy", np.arange(20) % 2)
    monkeypatch.setenv(VARIABLE, "1K")
    train, _, _ = build(Dataset, f"npz:{tmp_path}/x.npy,labels={tmp_path}/y.npy").load(tmp_path)
    os.truncate(tmp_path / "x.npy", 300)
    with pytest.raises(Exception, match=r"x\.npy became shorter while it was read"):
        _ = train.pixels


def test_what_may_be_black_and_white_is_asked_for_in_parts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", (np.arange(1500) % 2).astype(np.uint8).reshape(20, 5, 5, 3))
    np.save(tmp_path / "y.npy", np.arange(20) % 2)
    messages = []
    for hold in ("1G", "0"):
        monkeypatch.setenv(VARIABLE, hold)
        with pytest.raises(Exception, match="may mean black and white") as caught:
            build(Dataset, f"npz:{tmp_path}/x.npy,labels={tmp_path}/y.npy").load(tmp_path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_tiny_imagenet_is_read_in_parts_out_of_its_archive(
    written: Callable[[str, Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("tiny-imagenet", tmp_path)
    held = build(Dataset, "tiny-imagenet").load(tmp_path)
    monkeypatch.setenv(VARIABLE, "0")
    streamed = build(Dataset, "tiny-imagenet").load(tmp_path)
    assert isinstance(streamed[0], Streamed)
    for one, other in zip(held[:2], streamed[:2], strict=True):
        assert same(one, other) and one.digest() == other.digest()
        assert one.folders == other.folders
