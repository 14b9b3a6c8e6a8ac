"""What an attacking job opens: the network as its config sees it, images, and earlier results."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import RunError
from robustbench_cli.files import read_json
from robustbench_cli.runs.run import Run
from robustbench_cli.training.deploy import View, load_predictor

from .attack_config import AttackConfig
from .job import Where, load_data


class Viewed(Protocol):
    """Says how a network is seen: a config, or a question."""

    @property
    def view(self) -> View: ...

    @property
    def defence(self) -> str | None: ...


def open_predictor(run: Run, config: Viewed, where: Where) -> nn.Module:
    """The network as the config sees it, with the defences that it asks for."""
    train, device = partial(training_images, run, where), devices.choose(where.device)
    return load_predictor(run, device, config.view, defence=config.defence, train=train)


def open_images(config: AttackConfig, run: Run, where: Where) -> Images:
    return config.images(run.config["data"], where.data, where.device)


def training_images(run: Run, where: Where) -> Images:
    """What a run was trained on; of somebody else's weights, the training part of the data set.

    Raises:
        RunError: the data set is not there, or holds other images now.
    """
    kept = ("validation", "train_fraction", "label_noise", "seed")
    options = {key: run.config[key] for key in kept if key in run.config}
    images = load_data(run.config["data"], where, **options).train
    if run.record.get("data", {}).get("train_digest", found := images.digest()) != found:
        raise RunError(
            f"{run.path} was trained on other images than {run.config['data']} holds now"
        )
    return images


def is_recorded(path: Path, identity: dict[str, Any]) -> bool:
    """Whether a result lies there that depends on exactly the same things."""
    return path.is_file() and read_json(path).get("identity") == identity
