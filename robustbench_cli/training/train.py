"""The loop that turns a config into a run: epochs, validation, history, checkpoints, resume.

All random numbers of an epoch are a function of (seed, epoch), and a checkpoint is written after
each epoch: a killed training repeats at most one epoch and ends with the same weights.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Data, batches
from robustbench_cli.errors import RunError
from robustbench_cli.files import replacing
from robustbench_cli.models.checkpoint import check_archive
from robustbench_cli.models.first_convolution import quick_first_convolutions
from robustbench_cli.models.model import Model, make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.progress import Progress
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build_all

from .batch import Batch
from .config import TrainConfig
from .loop.compiling import compile_blocks, uncompiled
from .loop.early_stopping import Best, Watch
from .loop.files import COLUMNS, LAST, open_run, save_weights, write_history
from .loop.freezing import Frozen
from .loop.optimise import make_optimizer, make_schedule
from .loop.starting import Start
from .loop.threads import sensible_threads
from .loop.validating import validate
from .loop.weighing import balanced_facts, class_weights
from .method import Method, overrides
from .objective import Objective

_log = logging.getLogger(__name__)


@dataclass
class Trainer:
    """One training in progress. `data` is already on the device.

    `watch` measures accuracy under the attack of ``config.stop_on``; without it, the last epoch's
    weights are the run's. `observer` is told the history so far at the start and whenever it has
    grown; what that takes is none of the run's seconds. `start`: the weights to begin with.
    """

    config: TrainConfig
    data: Data
    path: Path
    progress: Progress | None = None
    watch: Watch | None = None
    observer: Callable[[Sequence[Mapping[str, float]]], None] | None = None
    start: Start | None = None

    def __post_init__(self) -> None:
        config = self.config
        self.device = self.data.train.device
        devices.deterministic(self.device)
        devices.seed_everything(config.seed)
        self.methods = build_all(Method, config.method_resolved or config.method)
        for method in self.methods:
            method.adapt(self.data.dataset)
        self.model = new_model(config, self.data)
        self.began = self.start.begin(self.model, config) if self.start else None
        self.model.to(self.device)
        self.frozen = Frozen.choose(self.model, config.freeze, (self.began or {}).get("new", ()))
        self.objective = Objective(
            self.model,
            self.methods,
            config.loss,
            class_weights(config.class_weights, self.data.train.labels, self.data.classes),
        )
        self.frozen.settle(self.model)
        self.model.to(self.device).train()
        if config.compile:
            compile_blocks(self.model)
        self.optimizer = make_optimizer(
            config, [each for each in self.model.parameters() if each.requires_grad]
        )
        repeats = self.objective.steps_per_batch
        self.per_epoch = -(-len(self.data.train) // (config.batch_size or 1)) * repeats
        self.epochs = config.epochs or 0
        self.schedule = make_schedule(config.schedule, self.optimizer, self.per_epoch * self.epochs)
        scaling = self.device.type == "cuda" and config.precision == "float16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaling)
        self.best = Best(self.watch) if self.watch else None
        self.history: list[dict[str, float]] = []

    def run(self) -> Run:
        """Train whatever is missing; returns the finished run.

        Raises:
            RunError: the loss is no longer finite.
        """
        run = self._open()
        model = uncompiled(self.model) if self.config.compile else self.model
        few = self.data.train[:2].x
        threads = sensible_threads(model, few, self.config.batch_size or 1)
        with threads, quick_first_convolutions(self.model):
            return self._run(run)

    def _run(self, run: Run) -> Run:
        started = time.monotonic() - sum(row["seconds"] for row in self.history)
        started += self._observed()
        for epoch in range(len(self.history), self.epochs):
            self.history.append(self._epoch(epoch))
            self._save_checkpoint()
            started += self._observed()
        facts: dict[str, Any] = {}
        if self.best and self.best.weights:
            save_weights(self.model, self.path / LAST)
            self.model.load_state_dict(self.best.weights)
            facts = self.best.facts()
        save_weights(self.model, run.weights)
        write_history(self.path, self.history)
        held = validate(self._shipped(), self.data.validation)
        run = run.update(
            status="done",
            validation_accuracy=held.accuracy if isfinite(held.accuracy) else None,
            validation_loss=held.loss if isfinite(held.loss) else None,
            **balanced_facts(self.path.name, held, self.data.train.labels),
            seconds=round(time.monotonic() - started, 2),
            device=devices.describe(self.device),
            **facts,
        )
        for left in (self._checkpoint, *self.path.glob(".*.part*")):  # the latter by kills
            left.unlink(missing_ok=True)
        return run

    def _epoch(self, epoch: int) -> dict[str, float]:
        started = time.monotonic()
        devices.seed_everything(self.config.seed, epoch + 1)
        self.model.train()
        self.frozen.hold()
        dataset, augment = self.data.dataset, self.config.augment
        total = torch.zeros((), device=self.device)
        seen = 0
        for x, labels in batches(
            self.data.train,
            self.config.batch_size or 1,
            crop=dataset.padding if augment else 0,
            flip=dataset.flip and augment,
        ):
            batch = Batch.of(x, labels, len(self.data.classes))
            for _ in range(self.objective.steps_per_batch):
                total += self._step(batch) * len(batch)
                seen += len(batch)
                self._tell(epoch, seen, total)
        loss = float(total) / max(seen, 1)
        if not isfinite(loss):
            raise RunError(
                f"{self.path.name}: the loss is {loss} in epoch {epoch + 1}; try a smaller --lr "
                f"(now {self.config.lr:g}) or --precision float32"
            )
        row: dict[str, float] = {"epoch": epoch + 1, "loss": loss}
        row |= dict.fromkeys(COLUMNS[2:], 0.0)
        row["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        for method in self.methods:
            row |= method.end_epoch(self.model)
        shipped = self._shipped()
        held = validate(shipped, self.data.validation)
        row["validation"], row["validation_loss"] = held.accuracy, held.loss
        if self.best:
            row["robust"] = self.best.look(epoch + 1, self.model, shipped, self.data.validation)
        row["seconds"] = round(time.monotonic() - started, 3)
        return row

    def _shipped(self) -> Model:
        """The network as it would ship: a copy where that is another one."""
        deploying = [method for method in self.methods if overrides(method, "deploy")]
        model = uncompiled(self.model) if deploying else self.model
        for method in reversed(deploying):
            method.deploy(model)
        return model

    def _step(self, batch: Batch) -> torch.Tensor:
        try:
            with devices.autocast(self.device, self.config.precision):
                loss = self.objective(batch).loss
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        except RuntimeError as e:
            if self.config.compile and "double backward" in str(e):
                raise RunError(
                    f"{self.config.method} needs gradients of gradients, which compiled blocks "
                    "do not give; leave --compile out"
                ) from e
            raise
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return loss.detach()

    def _tell(self, epoch: int, seen: int, total: torch.Tensor) -> None:
        if self.progress:
            repeats = self.objective.steps_per_batch
            size = len(self.data.train) * repeats
            self.progress(
                epoch * size + seen,
                self.epochs * size,
                lambda: f"epoch {epoch + 1}/{self.epochs}  loss {float(total) / seen:.3f}",
            )

    def _observed(self) -> float:
        """The seconds that the observer took."""
        before = time.monotonic()
        if self.observer:
            self.observer(self.history)
        return time.monotonic() - before

    # --- what a killed training leaves, and how it goes on ---

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    def _open(self) -> Run:
        """A new run, or the one that was interrupted, with its last epoch's state loaded."""
        run = open_run(self.path, self.config, self.data, self.began)
        if self.start:
            self.start.refuse_changed(self.path, run.record)
        if self._checkpoint.is_file():
            self._load_checkpoint()
        return run

    def _save_checkpoint(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "scaler": self.scaler.state_dict(),
            "methods": [method.state() for method in self.methods],
            "history": self.history,
            "best": self.best.state() if self.best else {},
        }
        with replacing(self._checkpoint) as beside:
            torch.save(state, beside)
        write_history(self.path, self.history)

    def _load_checkpoint(self) -> None:
        check_archive(self._checkpoint)
        try:
            state: dict[str, Any] = torch.load(
                self._checkpoint, map_location=self.device, weights_only=True
            )
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            for method, remembered in zip(self.methods, state["methods"], strict=True):
                method.load_state(remembered)
            if self.best:
                self.best.load_state(state["best"])
            self.history = state["history"]
            self.schedule.last_epoch = state["schedule"]["last_epoch"]
        except Exception as e:
            raise RunError(
                f"{self._checkpoint} cannot be resumed ({type(e).__name__}); "
                "remove it, or type --force to train the run again"
            ) from e
        _log.info("%s: goes on after epoch %d", self.path.name, len(self.history))


def new_model(config: TrainConfig, data: Data) -> Model:
    """The config's network as training begins with it, before any method is installed."""
    architecture, shape, classes = open_architecture(config.model), data.train.shape, data.classes
    own = architecture.normalisation(shape[0])
    mean, std = (own or (data.mean, data.std)) if config.normalise else (None, None)
    model = make(architecture, shape, len(classes), mean, std)
    architecture.begin(model.network, shape, len(classes))
    return model
