"""What an experiment does, in the order in which it must be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from robustbench_cli.epsilon import Eps
from robustbench_cli.jobs import AnalyseJob, AttackJob, TrainJob, TransferJob
from robustbench_cli.reporting.statements import Statements
from robustbench_cli.runs.norm_union import NormUnion

from .selecting import Selecting


@dataclass(frozen=True)
class ReportConfig:
    """Where the report goes and what it shows."""

    folder: Path | None = None
    by: str = "method"
    attack: tuple[str, ...] = ()
    epsilons: tuple[Eps, ...] = ()
    figures: tuple[str, ...] = ()
    highlight: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """The jobs of a file, in the order in which they must be done, phase by phase.

    Where it selects, these are the jobs that the choice depends on; `select` knows what comes then.
    """

    train: tuple[TrainJob, ...]
    attack: tuple[AttackJob, ...] = ()
    transfer: tuple[TransferJob, ...] = ()
    report: ReportConfig = field(default_factory=ReportConfig)
    analyse: tuple[AnalyseJob, ...] = ()
    statements: Statements = field(default_factory=Statements)
    select: Selecting | None = None
    unions: tuple[NormUnion, ...] = ()

    @property
    def run_paths(self) -> list[Path]:
        """What is reported on: what is trained, and other networks that are attacked or lend."""
        paths = [*(job.path for job in self.train), *(job.target for job in self.attack)]
        paths += [path for job in self.transfer for path in job.needs]
        return list(dict.fromkeys(paths))
