"""Every method, in mixed precision: resuming equals uninterrupted training, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import contents

from robustbench_cli.data.dataset import Data, open_data
from robustbench_cli.data.datasets.digits import Digits
from robustbench_cli.spec import names
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.train import Trainer

SHORTER = {  # fewer steps of the inner maximisation
    **dict.fromkeys(("advprop", "avm", "iat", "mart", "pgd-at", "trades"), "steps=1"),
    "info-mixup": "size=8,p=0.1",
}


class Killed(BaseException):
    """As sudden as SIGKILL."""


@pytest.fixture(scope="module")
def data() -> Data:
    given = open_data(Digits(), Path(), train_fraction=0.02)
    return replace(given, validation=given.validation[:20])


def spec(name: str) -> str:
    return f"{name}:{SHORTER[name]}" if name in SHORTER else name


ALL = [name for name in names("methods") if name != "corpus-at"]  # has a test of its own
COMPOSED = [
    "mixup+info-mixup:size=8+weight-averaging",
    pytest.param("als+sat:smooth=attacker+advprop:steps=1", marks=pytest.mark.slow),
]


QUICK = {"plain", "free-at", "info-mixup", "weight-averaging"}
EACH = [spec(n) if n in QUICK else pytest.param(spec(n), marks=pytest.mark.slow) for n in ALL]


@pytest.mark.parametrize("text", [*EACH, *COMPOSED])
def test_resuming_equals_uninterrupted(tmp_path: Path, data: Data, text: str) -> None:
    model = "cifar-resnet:depth=8" if "advprop" in text else "lenet5"
    config = TrainConfig(
        data="digits",
        model=model,
        method=text,
        epochs=2,
        batch_size=16,
        train_fraction=0.02,
        precision="bfloat16",
    ).resolve()

    def progress(done: int, total: int, tell: object) -> None:
        if done > 0.75 * total:
            raise Killed

    straight = Trainer(config, data, tmp_path / "straight").run()
    with pytest.raises(Killed):
        Trainer(config, data, tmp_path / "killed", progress).run()
    torch.manual_seed(12345)  # whatever else the process did meanwhile
    resumed = Trainer(config, data, tmp_path / "killed").run()
    weights = [contents(run.path, "*.safetensors") for run in (straight, resumed)]
    assert weights[0] == weights[1]
    timeless = [run.history().drop(columns="seconds") for run in (straight, resumed)]
    assert timeless[0].equals(timeless[1])
