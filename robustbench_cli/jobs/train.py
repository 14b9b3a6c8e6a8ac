"""Train one network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from robustbench_cli.locks import held
from robustbench_cli.progress import Progress
from robustbench_cli.runs.data_identity import refuse_others
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build_all
from robustbench_cli.tracking.telling import following
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.method import Method
from robustbench_cli.training.train import Trainer

from .corpus import sources, supply
from .job import Where, data_facts, division, load_data
from .kind import Kind, kind_of
from .starting import source, start_of
from .stopping import watch, with_stopping


@dataclass(frozen=True)
class TrainJob:
    """Train one network; the result is its run directory."""

    config: TrainConfig  # resolved
    where: Where = Where()
    force: bool = False
    track: tuple[str, ...] = ()  # trackers that are told of every epoch

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", with_stopping(self.config))

    @property
    def needs(self) -> tuple[Path, ...]:
        methods = build_all(Method, self.config.method_resolved, trusted=False)
        return (*source(self.config, self.where.runs), *sources(methods, self.where.runs))

    @property
    def path(self) -> Path:
        return self.where.runs / self.config.name

    @property
    def records(self) -> list[Path]:
        return [self.path / "run.json"]

    @property
    def home(self) -> Path:
        return self.path

    @property
    def label(self) -> str:
        return f"train {self.config.name}"

    @property
    def kind(self) -> Kind | None:
        """Known after the first epoch, in which everything is done that later ones do."""
        plain = replace(self.config, seed=0, epochs=None, lr=None, label_noise=0.0)
        alike = replace(plain, schedule="constant")
        return kind_of(self.where, alike, whole=1 / max(self.config.epochs or 1, 1))

    def done(self) -> bool:
        if self.force or not (self.path / "run.json").is_file():
            return False
        run = Run.open(self.path)
        if not run.finished or run.config != self.config.as_dict():
            return False
        found = data_facts(self.config.data, self.where, **division(run.config))
        remedy = "choose another --runs-dir, or type --force to train it again"
        refuse_others(run.path, self.config.data, run.record.get("data") or {}, found, remedy)
        if start := start_of(self.config, self.where):
            start.refuse_changed(run.path, run.record)
        return True

    def run(self, progress: Progress | None = None) -> Path:
        with held(self.path, self.label) as waited:
            return self.path if waited and self.done() else self._train(progress)

    def _train(self, progress: Progress | None) -> Path:
        if self.force:
            shutil.rmtree(self.path, ignore_errors=True)
        config = self.config
        data = load_data(config.data, self.where, **division(config.as_dict()))
        with following(self.track, self.path) as observer:
            start = start_of(config, self.where)
            trainer = Trainer(config, data, self.path, progress, watch(config), observer, start)
            supply(trainer.methods, data.train, config.data, self.where.runs, progress)
            return trainer.run().path
