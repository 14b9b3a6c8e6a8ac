"""The jobs of a card, chosen before the first of them runs, with what each is expected to cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

from torch import nn

from robustbench_cli.data.corruptions.published import HOMES
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import UsageError
from robustbench_cli.jobs import AnalyseJob, AttackJob, Job, TransferJob, Where, make_question
from robustbench_cli.jobs.attack_config import AttackConfig, make_attack_config
from robustbench_cli.jobs.inputs import open_predictor, test_images
from robustbench_cli.reporting.card.parts import (
    CORRUPTIONS,
    NOISE,
    PGD,
    PICTURES,
    STEP,
    TRANSFER,
    WORST,
    Threat,
)
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build

from .budget import choose
from .pilot import Pilot, look, remembered
from .price import attack_seconds, corruption_seconds, network_seconds, transfer_seconds
from .protocol import FULL, Level

_ATTACKS = (NOISE, STEP, PGD, WORST)
_SMALLEST = 8  # pixels across, of what is a picture
SHOWN = 4
"""Pictures of adversarials, in each norm."""


@dataclass(frozen=True)
class Ask:
    """What a card was asked to be about. `source`: the run whose adversarials are transferred."""

    run: Path
    threats: tuple[Threat, ...]
    where: Where = field(default_factory=Where)
    source: Path | None = None
    samples: int | None = None
    minutes: float | None = None
    seed: int = 0
    force: bool = False

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise UsageError(f"--samples {self.samples}: expected 1 or more")
        if self.minutes is not None and not (self.minutes > 0 and isfinite(self.minutes)):
            raise UsageError(f"--minutes {self.minutes:g}: expected more than 0")
        if self.seed < 0:
            raise UsageError(f"--attack-seed {self.seed}: expected 0 or more")


@dataclass(frozen=True)
class Task:
    """A part of the protocol; `spec`: of its attack or analysis. `seconds`: what it will take."""

    role: str
    threat: Threat | None
    spec: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What is done to a network for a card. `n` of `of` test images; `corrupted`: with which images
    corruptions are tried, ``published`` or ``made``; empty where there are none.
    """

    ask: Ask
    pilot: Pilot
    level: Level
    n: int
    of: int
    corrupted: str
    pictured: bool

    @classmethod
    def make(cls, ask: Ask) -> Plan:
        """The choice that a budget allows, after a look at a few images.

        Raises:
            UsageError: too small a budget, or a source for other data.
            RunError: the data set is not there, or is another one than the run's.
        """
        run = Run.open(ask.run)
        images = test_images(run, ask.where)
        corrupted = _corrupted(run, images, ask.where)
        pilot = _pilot(run, images, ask, corrupted)
        pictured = bool(corrupted) and images.shape[0] in (1, 3)
        widest = cls(ask, pilot, FULL, len(images), len(images), corrupted, pictured)
        level, n = choose(
            lambda level, n: replace(widest, level=level, n=n).seconds,
            len(images),
            samples=ask.samples,
            seconds=None if ask.minutes is None else 60 * ask.minutes,
        )
        return replace(widest, level=level, n=n)

    @property
    def tasks(self) -> list[Task]:
        """In the order in which a referee works: what takes longest comes last.

        The first attack pays for what checks measure once.
        """
        found = sorted(self._tasks(), key=lambda task: task.role == WORST)
        i = next(i for i, task in enumerate(found) if task.role in _ATTACKS)
        first = found[i]
        assert first.threat is not None
        once = network_seconds(first.spec, self.level, self.pilot, first.threat.norm, self.n)
        found[i] = replace(first, seconds=first.seconds + once)
        return found

    @property
    def seconds(self) -> float:
        """Of all of it, as far as can be told before."""
        return sum(task.seconds for task in self.tasks)

    @property
    def whole(self) -> Plan:
        """The full protocol on all test images."""
        return replace(self, level=FULL, n=self.of)

    def job(self, task: Task) -> Job:
        """What there is to run."""
        ask, data = self.ask, str(Run.open(self.ask.run).config["data"])
        if task.role in (CORRUPTIONS, PICTURES):
            question = make_question(task.spec, data, seed=ask.seed)
            return AnalyseJob(ask.run, question, ask.where, ask.force)
        assert task.threat is not None
        checks = "off" if task.role == TRANSFER else self.level.checks
        options: dict[str, Any] = {"samples": self.n, "seed": ask.seed, "checks": checks}
        config = make_attack_config(task.spec, data, (task.threat.eps,), **options)
        if task.role == TRANSFER:
            assert ask.source is not None
            return TransferJob(ask.source, (ask.run,), config, ask.where, ask.force)
        return AttackJob(ask.run, config, ask.where, ask.force)

    def _tasks(self) -> Iterator[Task]:
        level, pilot, n = self.level, self.pilot, self.n
        for threat in self.ask.threats:
            for role, spec in level.attacks(threat.norm).items():
                seconds = attack_seconds(role, spec, level, pilot, threat.norm, n)
                yield Task(role, threat, spec, seconds)
            if (lent := level.lent(threat.norm)) is None:
                continue
            if self.ask.source:
                yield Task(TRANSFER, threat, lent, transfer_seconds(lent, pilot, threat.norm, n))
            if self.pictured:
                attack = lent.replace(",", "+")
                shown = f"adversarials:attack={attack},eps={threat.eps},images={SHOWN}"
                yield Task(PICTURES, threat, shown, 0.0)
        if self.corrupted:
            spec = f"corruptions:images={self.corrupted},samples={n}"
            yield Task(CORRUPTIONS, None, spec, corruption_seconds(pilot, n))


def _pilot(run: Run, images: Images, ask: Ask, corrupted: str) -> Pilot:
    source = None if ask.source is None else Run.open(ask.source)
    if source is not None and source.config["data"] != run.config["data"]:
        raise UsageError(
            f"--source {source.path} is for {source.config['data']} and {run.path} for "
            f"{run.config['data']}; a transfer needs networks for the same data"
        )
    about = {
        "weights": [each.weights_digest for each in (run, source) if each],
        "data": images.digest(),
        "threats": [[t.norm, t.eps.text] for t in ask.threats],
        "seed": ask.seed,
        "device": images.device.type,
        "corrupted": corrupted,
    }

    def measure() -> Pilot:
        lent = None if source is None else _predictor(source, ask)
        model, made = _predictor(run, ask), corrupted == "made"
        return look(model, images, ask.threats, source=lent, corrupted=made, seed=ask.seed)

    return remembered(run.path, about, measure, force=ask.force)


def _predictor(run: Run, ask: Ask) -> nn.Module:
    """As attacks will see it."""
    config = AttackConfig("linf-fgsm", (ask.threats[0].eps,))
    return open_predictor(run, config, ask.where)


def _corrupted(run: Run, images: Images, where: Where) -> str:
    """``published``, where the authors' files are there, or ``made`` of pictures; else empty."""
    dataset = build(Dataset, run.config["data"], trusted=False)
    home = HOMES.get(dataset.name)
    if home and (where.data.expanduser() / home).is_dir():
        return "published"
    return "made" if min(images.shape[1:]) >= _SMALLEST else ""
