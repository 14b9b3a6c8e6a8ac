"""Pieces of work: train one run, attack one run, craft on one run for others.

A job is plain data, so it can go to another process or machine. `done()` says whether its result
already lies in the run directory, `run()` makes it so. The command line, experiments and Python
all go through these.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from . import device as devices
from .crafting import supply, watch, with_stopping
from .data.dataset import Data, Dataset, Images, open_data
from .errors import RunError, UsageError
from .evaluation.attack import Attack
from .evaluation.eight_bit import eight_bit
from .evaluation.evaluate import evaluate_model
from .evaluation.lending import Borrowing
from .evaluation.measure import enough, measure
from .evaluation.transfer import transfer
from .files import read_json, write_json
from .probe import Probe
from .progress import Progress
from .results import Evaluation, file_name
from .runs import Run
from .spec import build, parameters
from .training.config import TrainConfig
from .training.deploy import Predictor, load_predictor
from .training.train import Trainer

_OUTSIDE = ("view", "defence", "data", "weights", "source_weights", "eight_bit")
"""Of an identity, what the evaluation itself cannot know."""


@dataclass(frozen=True)
class Where:
    """Folders and device of a job."""

    runs: Path = Path("runs")
    data: Path = Path("~/.cache/robustmix")
    device: str = "auto"


class Job(Protocol):
    """What the grid runs; `path` is where the result lies once the job is done."""

    @property
    def path(self) -> Path: ...

    @property
    def label(self) -> str: ...

    @property
    def needs(self) -> tuple[Path, ...]:
        """The runs that must be finished before."""
        ...

    def done(self) -> bool: ...

    def run(self, progress: Progress | None = None) -> Path: ...


@dataclass(frozen=True)
class TrainJob:
    """Train one network; the result is its run directory."""

    config: TrainConfig  # resolved
    where: Where = Where()
    force: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", with_stopping(self.config))

    @property
    def needs(self) -> tuple[Path, ...]:
        return ()

    @property
    def path(self) -> Path:
        return self.where.runs / self.config.name

    @property
    def label(self) -> str:
        return f"train {self.config.name}"

    def done(self) -> bool:
        if self.force or not (self.path / "run.json").is_file():
            return False
        run = Run.open(self.path)
        return run.finished and run.config == self.config.as_dict()

    def run(self, progress: Progress | None = None) -> Path:
        if self.force:
            shutil.rmtree(self.path, ignore_errors=True)
        config = self.config
        data = load_data(
            config.data,
            self.where,
            validation=config.validation,
            train_fraction=config.train_fraction,
            label_noise=config.label_noise,
            seed=config.seed,
        )
        trainer = Trainer(config, data, self.path, progress, watch(config))
        supply(trainer.methods, data.train, config.data)
        return trainer.run().path


@dataclass(frozen=True)
class AttackJob:
    """Attack one network; the result is an evaluation in its run directory."""

    target: Path
    probe: Probe
    where: Where = Where()
    force: bool = False

    @property
    def label(self) -> str:
        behind = f" behind {self.probe.defence}" if self.probe.defence else ""
        return f"{self.probe.attack} on {self.target.name}{behind}"

    @property
    def needs(self) -> tuple[Path, ...]:
        attack = build(Attack, self.probe.attack)
        source = (Path(attack.source),) if isinstance(attack, Borrowing) else ()
        return (self.target, *source)

    @property
    def path(self) -> Path:
        """The record of the evaluation."""
        return self.target / "attacks" / f"{file_name(self._identity())}.json"

    def done(self) -> bool:
        if self.force or not all((path / "model.safetensors").is_file() for path in self.needs):
            return False
        return (
            Run.open(self.target).finished
            and _is_recorded(self.path, self._identity())
            and enough(read_json(self.path), self.probe.checks)
        )

    def run(self, progress: Progress | None = None) -> Path:
        run, identity = Run.open(self.target), self._identity()
        parts = self.target / "attacks" / f".{file_name(identity)}"
        if self.force:
            shutil.rmtree(parts, ignore_errors=True)
        model, images = (
            _predictor(run, self.probe, self.where),
            _images(self.probe, run, self.where),
        )
        with eight_bit(self.probe.eight_bit):
            if self.force or not _is_recorded(self.path, identity):
                evaluation = evaluate_model(
                    model,
                    images,
                    _attack(self.probe, run, self.where),
                    self.probe.epsilons,
                    schedule=self.probe.schedule,
                    audit=self.probe.audit,
                    crafting=self.probe.crafting,
                    num_threads=self.probe.threads,
                    seed=self.probe.seed,
                    batch_size=self.probe.batch_size,
                    parts=parts,
                    progress=progress,
                    identity={k: identity[k] for k in _OUTSIDE if k in identity},
                )
                evaluation.record["truncated"] = len(images) == self.probe.samples
                evaluation.record["defences"] = _defences(model)
                run.save(evaluation)
                shutil.rmtree(parts, ignore_errors=True)
            self._measure(model, images)
        return self.path

    def _measure(self, model: nn.Module, images: Images) -> None:
        """Add the signals to the record; the rows, and what vouches for them, stay as they are."""
        evaluation = Evaluation.load(self.path)
        if not enough(evaluation.record, self.probe.checks):
            signals = measure(model, images, evaluation, self.probe.checks)
            write_json(self.path, {**evaluation.record, "signals": signals})

    def _identity(self) -> dict[str, Any]:
        run = Run.open(self.target)
        images = _images(self.probe, run, self.where)
        attack, more = build(Attack, self.probe.attack), {"weights": run.weights_digest}
        if isinstance(attack, Borrowing):
            more["source_weights"] = Run.open(Path(attack.source)).weights_digest
        return self.probe.identity(images, **more)


@dataclass(frozen=True)
class TransferJob:
    """Craft on one network and show to others; the results lie in the source's directory."""

    source: Path
    targets: tuple[Path, ...]
    probe: Probe
    where: Where = Where()
    force: bool = False

    def __post_init__(self) -> None:
        for name in ("defence", "eight_bit", "audit", "compile", "threads"):
            if getattr(self.probe, name):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is for attack and sweep-epsilon, not for transfer")
        if self.probe.precision != "float32":
            raise UsageError("--precision is for attack and sweep-epsilon, not for transfer")
        paths = {path.resolve() for path in (self.source, *self.targets)}
        for first, second in combinations(sorted(paths), 2):
            if first.name == second.name:  # results are named after the directories
                raise UsageError(
                    f"{first} and {second} have the same name; rename one of the directories"
                )

    @property
    def label(self) -> str:
        return f"{self.probe.attack} from {self.source.name} to {len(self.targets)} networks"

    @property
    def needs(self) -> tuple[Path, ...]:
        return (self.source, *self.targets)

    @property
    def path(self) -> Path:
        return self.source

    @property
    def records(self) -> list[Path]:
        """The record of each target's evaluation, once the job is done."""
        source = Run.open(self.source)
        common = self.probe.identity(_images(self.probe, source, self.where))
        return [self._record(Run.open(path), source, common)[0] for path in self.targets]

    def done(self) -> bool:
        return not self.force and not self._missing()

    def run(self, progress: Progress | None = None) -> Path:
        source = Run.open(self.source)
        missing = self.targets if self.force else self._missing()
        opened = {run.name: run for run in map(Run.open, missing)}
        images = _images(self.probe, source, self.where)
        common = self.probe.identity(images)
        parts = self.source / "transfer" / f".{file_name({**common, 'to': [*opened]})}"
        models = {
            name: _predictor(run, self.probe, self.where)
            for name, run in {**opened, source.name: source}.items()
        }
        for evaluation in transfer(
            {source.name: models[source.name]},
            {name: models[name] for name in opened},
            images,
            self.probe.attack,
            self.probe.epsilons,
            seed=self.probe.seed,
            batch_size=self.probe.batch_size,
            parts=parts,
            progress=progress,
            identity={key: common[key] for key in ("view", "data")},
            weights={run.name: run.weights_digest for run in (source, *opened.values())},
        ):
            record = evaluation.record
            record["source_method"] = source.config["method"]
            record["target_method"] = opened[record["target"]].config["method"]
            evaluation.save(self.source / "transfer")
        shutil.rmtree(parts, ignore_errors=True)
        return self.source

    def _missing(self) -> tuple[Path, ...]:
        """Targets without a result that still holds."""
        if not (self.source / "model.safetensors").is_file():
            return self.targets
        source = Run.open(self.source)
        common = self.probe.identity(_images(self.probe, source, self.where))
        missing = []
        for path in self.targets:
            if not (path / "model.safetensors").is_file() or not _is_recorded(
                *self._record(Run.open(path), source, common)
            ):
                missing.append(path)
        return tuple(missing)

    def _record(
        self, target: Run, source: Run, common: dict[str, Any]
    ) -> tuple[Path, dict[str, Any]]:
        """Where the result for a target lies, and what it must depend on."""
        identity = {
            **common,
            "schedule": "transfer",
            "source": source.name,
            "target": target.name,
            "weights": {run.name: run.weights_digest for run in (source, target)},
        }
        return self.source / "transfer" / f"{file_name(identity)}.json", identity


def _attack(probe: Probe, run: Run, where: Where) -> Attack:
    """The attack of a probe; if it crafts on another run's network, with that network."""
    attack = build(Attack, probe.attack)
    if isinstance(attack, Borrowing):
        source = Run.open(Path(attack.source))
        if source.config["data"] != run.config["data"]:
            raise UsageError(
                f"{attack.source} was trained on {source.config['data']} and {run.path} on "
                f"{run.config['data']}; transfer between runs of one data set"
            )
        train, device = partial(training_images, source, where), devices.choose(where.device)
        attack.lend(load_predictor(source, device, probe.view, train=train))
    return attack


def _predictor(run: Run, probe: Probe, where: Where) -> nn.Module:
    """The network as the probe sees it, with the defences that it asks for."""
    train, device = partial(training_images, run, where), devices.choose(where.device)
    return load_predictor(run, device, probe.view, defence=probe.defence, train=train)


def _defences(model: nn.Module) -> list[dict[str, Any]]:
    """What stands before the network, with every parameter; the outermost first."""
    methods = model.methods if isinstance(model, Predictor) else ()
    return [
        {"name": m.name, **{f.name: getattr(m, f.name) for f in parameters(type(m))}}
        for m in methods
    ]


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


def _images(probe: Probe, run: Run, where: Where) -> Images:
    return probe.images(run.config["data"], where.data, where.device)


def _is_recorded(path: Path, identity: dict[str, Any]) -> bool:
    """Whether a result lies there that depends on exactly the same things."""
    return path.is_file() and read_json(path).get("identity") == identity


def load_data(spec: str, where: Where, **options: Any) -> Data:
    """A data set on the job's device; `options` as for :func:`open_data`."""
    dataset = build(Dataset, spec, trusted=False)
    return open_data(dataset, where.data.expanduser(), devices.choose(where.device), **options)
