"""What an experiment does once it is known which settings are the best.

Nothing is remembered: champions follow from the evaluations that lie on disk, so a killed
experiment finds the same ones again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_cli.errors import RobustmixError
from robustbench_cli.jobs import AttackJob, TrainJob
from robustbench_cli.jobs.attack_config import AttackConfig
from robustbench_cli.reporting.contests import Contest, Measure, contests, key_of, measured
from robustbench_cli.reporting.numbers.labels import group_of
from robustbench_cli.reporting.numbers.quantity import Quantity
from robustbench_cli.reporting.numbers.summary import Estimate
from robustbench_cli.runs.run import Run, Split
from robustbench_cli.training.config import TrainConfig

if TYPE_CHECKING:
    from .plan import Experiment


@dataclass(frozen=True)
class Selecting:
    """How champions are chosen among settings, and what is done with them.

    `settings`: everything that [train] names. `configs`: by data set, the attack that they are
    compared by. `seeds`: of the champions, none of which helped to choose them. `optimism`: attack
    test images with all settings, too. `rest`: the experiment on given trainings.
    """

    settings: tuple[TrainJob, ...]
    quantity: Quantity
    configs: Mapping[str, AttackConfig]
    seeds: tuple[int, ...]
    optimism: bool
    rest: Callable[[Sequence[TrainJob]], Experiment]

    @property
    def competing(self) -> tuple[TrainJob, ...]:
        """The settings that have a rival; where there is one only, nothing is to be chosen."""
        return tuple(job for family in self._families() if _several(family) for job in family)

    def attacks(self) -> tuple[AttackJob, ...]:
        """What the choice, and its optimism, depend on."""
        splits: tuple[Split, ...] = ("validation", "test") if self.optimism else ("validation",)
        return tuple(job for split in splits for job in self._attacks(self.competing, split))

    def contests(self) -> list[Contest]:
        """From what lies on disk, as far as it is finished."""
        runs = [_as_run(job) for job in self.settings]
        measures = {group_of(run): self._measure(run) for run in runs}

        def known(jobs: Iterable[TrainJob], split: Split) -> dict[str, Estimate]:
            listed = list(jobs)
            files = [path for job in self._attacks(listed, split) for path in _finished(job)]
            return measured([_as_run(job) for job in listed], split, measures, files)

        held = known(self.competing, "validation")
        if not self.optimism:
            return contests(runs, measures, held)
        test = known(self.competing, "test")
        fresh = known(self._champions(contests(runs, measures, held)), "test")
        return contests(runs, measures, held, test, fresh)

    def after(self) -> Experiment:
        """What is done with the champions, who follow from what lies on disk."""
        champions = self._champions(self.contests())
        rest = self.rest(champions)
        if not self.optimism:
            return rest
        more = self._attacks(champions, "test")
        return replace(rest, attack=tuple(dict.fromkeys((*rest.attack, *more))))

    def stand_ins(self) -> tuple[Experiment, Experiment]:
        """As many jobs as there will be: of each family's first setting, and of its last.

        Raises:
            UsageError: a later section that does not fit whoever wins.
        """
        families = self._families()
        first, last = (
            self.rest([job for family in families for job in self._fresh(family[i].config)])
            for i in (0, -1)
        )
        return first, last

    def _champions(self, found: Iterable[Contest]) -> list[TrainJob]:
        best = [contest.champion for contest in found if contest.champion]
        return [job for tried in best for job in self._fresh(TrainConfig(**tried.config))]

    def _fresh(self, config: TrainConfig) -> list[TrainJob]:
        first = self.settings[0]
        return [
            TrainJob(replace(config, seed=seed), first.where, first.force) for seed in self.seeds
        ]

    def _attacks(self, jobs: Iterable[TrainJob], split: Split) -> list[AttackJob]:
        return [
            AttackJob(
                job.path, replace(self.configs[job.config.data], split=split), job.where, job.force
            )
            for job in jobs
        ]

    def _measure(self, run: Run) -> Measure:
        config = self.configs[run.config["data"]]
        return Measure(self.quantity, config.attack, config.epsilons[-1])

    def _families(self) -> list[list[TrainJob]]:
        found: dict[tuple[str, ...], list[TrainJob]] = {}
        for job in self.settings:
            found.setdefault(key_of(job.config.as_dict()), []).append(job)
        return list(found.values())


def _several(family: Sequence[TrainJob]) -> bool:
    return len({group_of(_as_run(job)) for job in family}) > 1


def _as_run(job: TrainJob) -> Run:
    """Also where there is none yet: what is asked of it are its settings and its evaluations."""
    return Run(job.path, {"config": job.config.as_dict()})


def _finished(job: AttackJob) -> list[Path]:
    """Its result; none where it is not there or damaged, which the job itself will say."""
    try:
        return [job.path] if replace(job, force=False).done() else []
    except RobustmixError:
        return []
