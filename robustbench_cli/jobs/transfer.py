"""Craft on one network, show to others."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.transfer import transfer
from robustbench_cli.locks import held
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import file_name
from robustbench_cli.runs.run import Run

from .attack_config import AttackConfig
from .inputs import is_recorded, open_images, open_predictor, same_data, unfinished
from .job import Where
from .kind import Kind, kind_of, network


@dataclass(frozen=True)
class TransferJob:
    """Craft on one network and show to others; the results lie in the source's directory."""

    source: Path
    targets: tuple[Path, ...]
    config: AttackConfig
    where: Where = Where()
    force: bool = False

    def __post_init__(self) -> None:
        for name in ("defence", "eight_bit", "audit", "compile", "threads"):
            if getattr(self.config, name):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is for attack and sweep-epsilon, not for transfer")
        for name, usual in {"precision": "float32", "split": "test"}.items():
            if getattr(self.config, name) != usual:
                raise UsageError(f"--{name} is for attack and sweep-epsilon, not for transfer")
        paths = {path.resolve() for path in (self.source, *self.targets)}
        for first, second in combinations(sorted(paths), 2):
            if first.name == second.name:  # results are named after the directories
                raise UsageError(
                    f"{first} and {second} have the same name; rename one of the directories"
                )

    @property
    def home(self) -> Path:
        return self.source

    @property
    def label(self) -> str:
        return f"{self.config.attack} from {self.source.name} to {len(self.targets)} networks"

    @property
    def needs(self) -> tuple[Path, ...]:
        return (self.source, *self.targets)

    @property
    def kind(self) -> Kind | None:
        networks = [network(run) for run in (self.source, *self.targets)]
        return kind_of(self.where, replace(self.config, seed=0), networks)

    @property
    def path(self) -> Path:
        """The folder of the results."""
        return self.source / "transfer"

    @property
    def records(self) -> list[Path]:
        """The record of each target's evaluation, once the job is done."""
        source = Run.open(self.source)
        common = self.config.identity(open_images(self.config, source, self.where.host))
        return [self._record(Run.open(path), source, common)[0] for path in self.targets]

    def done(self) -> bool:
        return not self.force and not self._missing()

    def run(self, progress: Progress | None = None) -> Path:
        images = open_images(self.config, Run.open(self.source), self.where)
        names = [path.name for path in self.targets]
        unit = file_name({**self.config.identity(images), "to": names})
        with held(self.source / f"transfer-{unit}", self.label) as waited:
            return self.path if waited and self.done() else self._transfer(images, progress)

    def _transfer(self, images: Images, progress: Progress | None) -> Path:
        source = Run.open(self.source)
        missing = self.targets if self.force else self._missing()
        opened = {run.name: run for run in map(Run.open, missing)}
        for target in opened.values():
            same_data(target, self.where.host)
        common = self.config.identity(images)
        parts = self.path / f".{file_name({**common, 'to': [*opened]})}"
        models = {
            name: open_predictor(run, self.config, self.where)
            for name, run in {**opened, source.name: source}.items()
        }
        for evaluation in transfer(
            {source.name: models[source.name]},
            {name: models[name] for name in opened},
            images,
            self.config.attack,
            self.config.epsilons,
            seed=self.config.seed,
            batch_size=self.config.batch_size,
            parts=parts,
            progress=progress,
            identity={key: common[key] for key in ("view", "data")},
            weights={run.name: run.weights_digest for run in (source, *opened.values())},
        ):
            record = evaluation.record
            record["source_method"] = source.config["method"]
            record["target_method"] = opened[record["target"]].config["method"]
            evaluation.save(self.path)
        shutil.rmtree(parts, ignore_errors=True)
        return self.path

    def _missing(self) -> tuple[Path, ...]:
        """Targets without a result that still holds."""
        if unfinished([self.source]):
            return self.targets
        source = Run.open(self.source)
        common = self.config.identity(open_images(self.config, source, self.where.host))
        missing = []
        for path in self.targets:
            if unfinished([path]):
                missing.append(path)
                continue
            target = Run.open(path)
            same_data(target, self.where.host)
            if not is_recorded(*self._record(target, source, common)):
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
        return self.path / f"{file_name(identity)}.json", identity
