"""Every method trains and resumes on a device, and no step of it makes the host wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pretend_device import DEVICE, pretend_device

from robustbench_cli.data.dataset import Data, open_data
from robustbench_cli.data.datasets.digits import Digits
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import names
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.train import Trainer

pytestmark = pytest.mark.slow  # a minute in all

SHORTER = {
    **dict.fromkeys(("advprop", "avm", "iat", "mart", "pgd-at", "trades"), "steps=2"),
    "comixup": "grid=2,iterations=1",
    "free-at": "replays=2",
    "info-mixup": "size=8,p=0.1",
}
METHODS = [  # corpus-at needs another run: see tests/jobs
    f"{name}:{SHORTER[name]}" if name in SHORTER else name
    for name in names("methods")
    if name != "corpus-at"
]


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def waits() -> Iterator[Counter[str]]:
    with pretend_device() as counted:
        yield counted


@pytest.fixture(scope="module")
def data(waits: Counter[str]) -> Data:
    given = open_data(Digits(), Path(), DEVICE, train_fraction=0.012)
    return replace(given, validation=given.validation[:20])


def train(data: Data, folder: Path, text: str, progress: object = None, **changes: object) -> Run:
    options = {
        "model": "cifar-resnet:depth=8" if "advprop" in text else "lenet5",
        "epochs": 1,
        **changes,
    }
    config = TrainConfig(data="digits", method=text, batch_size=6, **options)  # type: ignore[arg-type]
    return Trainer(config.resolve(), data, folder, progress).run()  # type: ignore[arg-type]


@pytest.mark.parametrize("text", METHODS)
def test_every_method(tmp_path: Path, data: Data, waits: Counter[str], text: str) -> None:
    counts: list[int] = []
    run = train(data, tmp_path / "run", text, lambda *moment: counts.append(waits.total()))
    assert run.finished
    assert len(counts) >= 2
    assert len(set(counts)) == 1, "a step waited for the device"


@pytest.mark.parametrize("text", ["plain", "weight-averaging", "info-mixup:size=8,p=0.1", "als"])
def test_a_killed_training_goes_on_there(tmp_path: Path, data: Data, text: str) -> None:
    def kill(done: int, total: int, tell: object) -> None:
        if done > 0.6 * total:
            raise Killed

    with pytest.raises(Killed):
        train(data, tmp_path / "run", text, kill, epochs=2)
    run = train(data, tmp_path / "run", text, epochs=2)
    assert run.finished and len(run.history()) == 2


def test_cropping_and_flipping(tmp_path: Path, data: Data, waits: Counter[str]) -> None:
    class Cropped(Digits):
        crop, flip = 1, True

    counts: list[int] = []
    given = replace(data, dataset=Cropped())
    train(given, tmp_path / "run", "plain", lambda *moment: counts.append(waits.total()))
    assert len(counts) >= 2 and len(set(counts)) == 1
