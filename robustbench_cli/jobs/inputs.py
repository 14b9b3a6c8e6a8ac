"""What an attacking job opens: the network as its config sees it, images, and earlier results."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.targets import Targeted
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.files import read_json
from robustbench_cli.runs.data_identity import refuse_others
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build
from robustbench_cli.spec.pixels import refuse_unscaled
from robustbench_cli.training.deploy import View, load_predictor

from .attack_config import AttackConfig, test_part
from .job import Where, data_facts, division, held_out, load_data

_REMEDY = "bring those back, or make the run anew in another --runs-dir"


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
    """The images that a config looks at.

    Raises:
        RunError: the data set is not there, or is another one than the run's.
        UsageError: the attack aims at a class that the data set does not have, an epsilon is
            longer than an image, or the run held no images out.
    """
    images = test_images(run, where) if config.split == "test" else _held_out(run, where)
    attack, diagonal = build(Attack, config.attack), prod(images.shape) ** 0.5
    for eps in config.epsilons if attack.norm == "l2" else ():  # its range is that of the images
        what = f"{attack} ({attack.norm}): epsilon "
        refuse_unscaled(what, float(eps), attack.norm, str(eps), longest=diagonal * (1 + 1e-6))
    if isinstance(attack, Targeted) and attack.fixed:  # sooner than the network would say so
        attack.number(images.classes, len(images.classes))
    return images[: config.samples] if config.samples else images


def test_images(run: Run, where: Where) -> Images:
    """All test images of a run's data set.

    Raises:
        RunError: the data set is not there, or is another one than the run's.
    """
    same_data(run, where)
    return test_part(run.config["data"], where.data, where.device).images


def same_data(run: Run, where: Where) -> None:
    """
    Raises:
        RunError: the run's data set has other test images or classes now; names what changed.
    """
    spec = run.config["data"]
    found = test_part(spec, where.data, where.device).facts()
    refuse_others(run.path, spec, run.record.get("data") or {}, found, _REMEDY)


def training_images(run: Run, where: Where) -> Images:
    """What a run was trained on; of somebody else's weights, the training part of the data set.

    Raises:
        RunError: the data set is not there, or holds other images now.
    """
    images = load_data(run.config["data"], where, **division(run.config)).train
    found = {"train_digest": images.digest()}
    refuse_others(run.path, run.config["data"], run.record.get("data") or {}, found, _REMEDY)
    return images


def _held_out(run: Run, where: Where) -> Images:
    """The validation images of a run: out of its data set's training part, never trained on."""
    if not run.config.get("validation"):
        checkpoint = run.config.get("checkpoint")
        why = f"nobody knows what {checkpoint} was trained on" if checkpoint else "none were"
        raise UsageError(f"{run.path}: no images held out of the training: {why}; --split test")
    spec, parts = run.config["data"], division(run.config)
    refuse_others(
        run.path, spec, run.record.get("data") or {}, data_facts(spec, where, **parts), _REMEDY
    )
    return held_out(spec, where, parts["validation"])


def named_run(text: str, runs: Path) -> Path:
    """Where the run lies that a setting names: by its path, or by its name in the folder `runs`."""
    given = Path(text)
    return runs / given if len(given.parts) == 1 and not given.exists() else given


def unfinished(runs: Iterable[Path]) -> list[Path]:
    """The runs whose networks are not there (yet)."""
    return [path for path in runs if not (path / "model.safetensors").is_file()]


def is_recorded(path: Path, identity: dict[str, Any]) -> bool:
    """Whether a result lies there that depends on exactly the same things."""
    return path.is_file() and read_json(path).get("identity") == identity
