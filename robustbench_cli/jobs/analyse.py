"""Look at one network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from robustbench_cli.analysis.analyse import analyse_model, identify
from robustbench_cli.analysis.analysis import Analysis
from robustbench_cli.data.corruptions.published import fingerprint
from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import Evaluation, file_name
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build
from robustbench_cli.training.deploy import View, build_defences

from .inputs import is_recorded, open_predictor, test_images, training_images, unfinished
from .job import Where
from .kind import Kind, kind_of, network


@dataclass(frozen=True)
class Question:
    """What to ask of a network, as plain data; `analysis` is a spec with everything filled in."""

    analysis: str
    seed: int = 0
    view: View = "deployed"
    defence: str | None = None  # put before the run's own methods


def make_question(analysis: str, data: str, **options: Any) -> Question:
    """A question about a network for a data set, whose usual epsilons fill in what is not given.

    Raises:
        UsageError: no such analysis, defence or view.
    """
    asked = build(Analysis, analysis)
    asked.adapt(build(Dataset, data, trusted=False))
    written = build_defences(options.pop("defence", None), trusted=False)
    question = Question(str(asked), **options, defence="+".join(map(str, written)) or None)
    if question.view not in get_args(View):
        raise UsageError(f"no view {question.view!r}; type {', '.join(get_args(View))}")
    if question.defence and question.view == "bare":
        raise UsageError(f"the bare view leaves {question.defence} out; type --view deployed")
    return question


@dataclass(frozen=True)
class AnalyseJob:
    """Look at one network; the result is a record and a table in its run directory."""

    target: Path
    question: Question
    where: Where = Where()
    force: bool = False

    @property
    def home(self) -> Path:
        return self.target

    @property
    def label(self) -> str:
        behind = f" behind {self.question.defence}" if self.question.defence else ""
        return f"{self.question.analysis} of {self.target.name}{behind}"

    @property
    def needs(self) -> tuple[Path, ...]:
        other = build(Analysis, self.question.analysis).other
        return (self.target, Path(other)) if other else (self.target,)

    @property
    def path(self) -> Path:
        """The record of the analysis."""
        return self._record(self._identity())

    @property
    def records(self) -> list[Path]:
        return [self.path]

    def _record(self, identity: dict[str, Any]) -> Path:
        return self.target / "analyses" / f"{file_name(identity)}.json"

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.where, replace(self.question, seed=0), network(self.target))

    def done(self) -> bool:
        if self.force or unfinished(self.needs) or not Run.open(self.target).finished:
            return False
        identity = self._identity()
        return is_recorded(self._record(identity), identity)

    def run(self, progress: Progress | None = None) -> Path:
        run, identity = Run.open(self.target), self._identity()
        analysis = build(Analysis, self.question.analysis)
        parts = self.target / "analyses" / f".{file_name(identity)}"
        if self.force:
            shutil.rmtree(parts, ignore_errors=True)
        other = None
        if analysis.other:
            compared = Run.open(analysis.other)
            if compared.config["data"] != run.config["data"]:
                raise UsageError(
                    f"{compared.path} is for {compared.config['data']} and {run.path} for "
                    f"{run.config['data']}; compare networks for the same data"
                )
            other = open_predictor(compared, self.question, self.where)
        found = analyse_model(
            open_predictor(run, self.question, self.where),
            test_images(run, self.where),
            analysis,
            train=training_images(run, self.where) if analysis.trains else None,
            other=other,
            evaluations=self._read(run, analysis),
            folder=analysis.folder(self.where.data.expanduser()),
            seed=self.question.seed,
            parts=parts,
            progress=progress,
            identity=identity,
        )
        path = found.save(parts.parent)
        shutil.rmtree(parts, ignore_errors=True)
        return path

    def _identity(self) -> dict[str, Any]:
        """All that the table depends on."""
        run, analysis = Run.open(self.target), build(Analysis, self.question.analysis)
        images = test_images(run, self.where.host)
        others = [Run.open(analysis.other)] if analysis.other else []
        more: dict[str, Any] = {"view": self.question.view}
        more["weights"] = [each.weights_digest for each in (run, *others)]
        more["data"] = [images.digest()]
        if self.question.defence:
            more["defence"] = self.question.defence
        if analysis.trains:
            more["data"].append(training_images(run, self.where.host).digest())
        if folder := analysis.folder(self.where.data.expanduser()):
            more["files"] = fingerprint(folder)
        if read := self._read(run, analysis):
            more["read"] = [evaluation.record["rows_digest"] for evaluation in read]
        return identify(analysis, self.question.seed, more)

    def _read(self, run: Run, analysis: Analysis) -> list[Evaluation]:
        """Stored evaluations of the same view that the answer depends on."""
        seen = self.question.view, self.question.defence
        return [
            evaluation
            for evaluation in run.evaluations()
            if (about := evaluation.record.get("identity", {})) is not None
            and (about.get("view"), about.get("defence")) == seen
            and analysis.reads(evaluation)
        ]
