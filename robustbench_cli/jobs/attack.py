"""Attack one network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.borrowing import Borrowing
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.measure import enough, measure
from robustbench_cli.evaluation.verification.eight_bit import eight_bit
from robustbench_cli.files import read_json, write_json
from robustbench_cli.locks import held
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import Evaluation, file_name
from robustbench_cli.runs.run import FOLDERS, Run
from robustbench_cli.spec import build, parameters
from robustbench_cli.training.deploy import Predictor, load_predictor

from .attack_config import AttackConfig
from .ensembles import members, named_network
from .inputs import (
    is_recorded,
    open_images,
    open_predictor,
    same_data,
    training_images,
    unfinished,
)
from .job import Where
from .kind import Kind, kind_of, network

_OUTSIDE = ("view", "defence", "data", "weights", "source_weights", "eight_bit", "split")
"""Of an identity, what the evaluation itself cannot know."""


@dataclass(frozen=True)
class AttackJob:
    """Attack one network; the result is an evaluation in its run directory."""

    target: Path
    config: AttackConfig
    where: Where = Where()
    force: bool = False

    @property
    def home(self) -> Path:
        return self.target

    @property
    def label(self) -> str:
        behind = f" behind {self.config.defence}" if self.config.defence else ""
        held = ", validation images" if self.config.split == "validation" else ""
        return f"{self.config.attack} on {self.target.name}{behind}{held}"

    @property
    def needs(self) -> tuple[Path, ...]:
        attack = build(Attack, self.config.attack)
        sources = members(attack.source) if isinstance(attack, Borrowing) else ()
        return (self.target, *sources)

    @property
    def path(self) -> Path:
        """The record of the evaluation."""
        return self._record(self._identity())

    @property
    def records(self) -> list[Path]:
        return [self.path]

    def _record(self, identity: dict[str, Any]) -> Path:
        return self._folder / f"{file_name(identity)}.json"

    @property
    def _folder(self) -> Path:
        return self.target / FOLDERS[self.config.split]

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.where, replace(self.config, seed=0), network(self.target))

    def done(self) -> bool:
        if self.force or unfinished(self.needs) or not Run.open(self.target).finished:
            return False
        identity = self._identity()
        record = self._record(identity)
        return is_recorded(record, identity) and enough(read_json(record), self.config.checks)

    def run(self, progress: Progress | None = None) -> Path:
        identity = self._identity()
        with held(self.target / file_name(identity), self.label) as waited:
            if not (waited and self.done()):
                self._attack(identity, progress)
        return self._record(identity)

    def _attack(self, identity: dict[str, Any], progress: Progress | None) -> None:
        run, record = Run.open(self.target), self._record(identity)
        parts = self._folder / f".{file_name(identity)}"
        if self.force:
            shutil.rmtree(parts, ignore_errors=True)
        model, images = (
            open_predictor(run, self.config, self.where),
            open_images(self.config, run, self.where),
        )
        with eight_bit(self.config.eight_bit):
            if self.force or not is_recorded(record, identity):
                evaluation = evaluate_model(
                    model,
                    images,
                    _lent(self.config, run, self.where),
                    self.config.epsilons,
                    schedule=self.config.schedule,
                    audit=self.config.audit,
                    crafting=self.config.crafting,
                    num_threads=self.config.threads,
                    seed=self.config.seed,
                    batch_size=self.config.batch_size,
                    parts=parts,
                    progress=progress,
                    identity={k: identity[k] for k in _OUTSIDE if k in identity},
                )
                evaluation.record["truncated"] = len(images) == self.config.samples
                evaluation.record["defences"] = _defences(model)
                run.save(evaluation)
                shutil.rmtree(parts, ignore_errors=True)
            self._measure(record, model, images)

    def _measure(self, record: Path, model: nn.Module, images: Images) -> None:
        """Add the signals to the record; the rows, and what vouches for them, stay as they are."""
        evaluation = Evaluation.load(record)
        if not enough(evaluation.record, self.config.checks):
            beside = None if self.force else self._folder
            signals = measure(model, images, evaluation, self.config.checks, beside=beside)
            write_json(record, {**evaluation.record, "signals": signals})

    def _identity(self) -> dict[str, Any]:
        run = Run.open(self.target)
        images = open_images(self.config, run, self.where.host)
        attack, more = build(Attack, self.config.attack), {"weights": run.weights_digest}
        if isinstance(attack, Borrowing):
            more["source_weights"] = named_network(attack.source, self.where.runs).weights_digest
        return self.config.identity(images, **more)


def _lent(config: AttackConfig, run: Run, where: Where) -> Attack:
    """The attack of a config; if it crafts on another run's network, with that network."""
    attack = build(Attack, config.attack)
    if isinstance(attack, Borrowing):
        source = named_network(attack.source, where.runs)
        if source.config["data"] != run.config["data"]:
            raise UsageError(
                f"{attack.source} was trained on {source.config['data']} and {run.path} on "
                f"{run.config['data']}; transfer between runs of one data set"
            )
        same_data(source, where)
        train, device = partial(training_images, source, where), devices.choose(where.device)
        attack.lend(load_predictor(source, device, config.view, train=train))
    return attack


def _defences(model: nn.Module) -> list[dict[str, Any]]:
    """What stands before the network, with every parameter; the outermost first."""
    methods = model.methods if isinstance(model, Predictor) else ()
    return [
        {"name": m.name, **{f.name: getattr(m, f.name) for f in parameters(type(m))}}
        for m in methods
    ]
