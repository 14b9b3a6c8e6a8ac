"""What a statement is about, found among runs: a group by its name, its curve, its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from math import inf, isnan
from typing import NamedTuple

import pandas as pd

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.analyses import Answer, collect_analyses, lines
from robustbench_cli.reporting.statements import Statement
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import defaults, names, number, read, split
from robustbench_cli.trust.examine import Found, examine_runs

from .compare import Pair, pair
from .frame import collect
from .labels import group_of, label_groups
from .paths import short_paths_of
from .summary import Curve, Estimate, summarise
from .timing import training_seconds


class LackingError(Exception):
    """Why a statement cannot be held against these runs; a finding, not a mistake."""


class Looked(NamedTuple):
    """A number of an analysis or of training, over the `runs` of a group that have one."""

    label: str
    runs: tuple[str, ...]
    estimate: Estimate
    unit: str


class Known:
    """Runs, and what was already read of them for another statement."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.short = short_paths_of(runs)
        self.frame = cache(self._frame)
        self.curves = cache(self._curves)
        self.findings = cache(self._findings)
        self.pair = cache(self._pair)
        self.answers = cache(self._answers)

    def _frame(self, by: str, attack: str | None) -> pd.DataFrame:
        try:
            return collect(self.runs, by=by, attack=attack)
        except UsageError as e:
            label_groups(self.runs, by)  # no such setting is a mistake
            raise LackingError(f"{e}; type -a {attack}") from e

    def _curves(self, by: str, attack: str | None) -> list[Curve]:
        return summarise(self.frame(by, attack))

    def _findings(self, by: str, attack: str | None) -> Found:
        return examine_runs(self.runs, self.frame(by, attack))

    def _pair(self, first: Curve, second: Curve, by: str) -> Pair | None:
        return pair(self.runs, first, second, by)

    def _answers(self, by: str, analysis: str | None) -> list[Answer]:
        try:
            return collect_analyses(self.runs, by=by, analysis=analysis)
        except (RunError, UsageError) as e:
            label_groups(self.runs, by)  # no such setting is a mistake
            raise LackingError(str(e)) from e

    def curve(self, asked: Statement, name: str, attack: str | None) -> Curve:
        """
        Raises:
            LackingError: no such group, or it was not attacked so, or the name fits several.
        """
        curves = self.curves(asked.by, attack)
        label = self._label(asked, name, {c.label: _spec_of(c, asked.by) for c in curves})
        found = [c for c in curves if c.label == label and asked.view in (None, c.view)]
        if not found:
            seen = f" in the {asked.view} view" if asked.view else ""
            raise LackingError(f"{label}: not attacked{seen}; type -a {attack or 'linf-pgd'}")
        views = sorted({curve.view for curve in found})
        if len(views) > 1:
            raise LackingError(f"{label}: attacked in several views; name one of {views}")
        attacks = sorted({curve.attack for curve in found})
        if asked.measure != "clean" and len(attacks) > 1:
            raise LackingError(f"{attack} is several attacks, {', '.join(attacks)}; name one")
        return max(found, key=lambda curve: (len(curve.runs), curve.n))

    def cost(self, asked: Statement, name: str) -> tuple[str, dict[str, dict[str, float]]]:
        """Its label; and machine -> run -> seconds of training.

        Raises:
            LackingError: no such group, or none of it was trained here.
        """
        label, chosen = self._group(asked, name)
        found = training_seconds(chosen)
        if not found:
            raise LackingError(f"{label}: no seconds of training are recorded")
        return label, found

    def number(self, asked: Statement, name: str) -> Looked:
        """What an analysis says of a group.

        Raises:
            LackingError: no such group, or it was not analysed so, or there is no such number.
        """
        answers = self.answers(asked.by, asked.analysis)
        specs = {a.label: str(a.run.config.get(_key(asked.by))) for a in answers}
        label = self._label(asked, name, specs)
        fitting = [a for a in answers if a.label == label and asked.view in (None, a.view)]
        found = lines(fitting)
        if not found:
            raise LackingError(f"{label}: not analysed; type -n {asked.analysis}")
        if len(found) > 1:
            several = ", ".join(sorted({line.first.spec for line in found}))
            raise LackingError(f"{label}: several analyses fit, in spec, view or seed: {several}")
        (line,), wanted = found, str(asked.number)
        if wanted not in line.estimates:
            known = ", ".join(line.units)
            raise LackingError(f"{line.first.spec} gives no {wanted!r}; it gives: {known}")
        runs = tuple(a.run.name for a in fitting if not isnan(a.analysed[wanted]))
        return Looked(label, runs, line.estimates[wanted], line.units[wanted])

    def validation_loss(self, asked: Statement, name: str) -> Looked:
        """Cross-entropy of held-out images, of the finished networks of a group.

        Raises:
            LackingError: no such group, or none of it has one.
        """
        label, chosen = self._group(asked, name)
        losses = {run.name: run.record.get("validation_loss") for run in chosen}
        known = {name: float(loss) for name, loss in losses.items() if loss is not None}
        if not known:
            raise LackingError(f"{label}: no validation loss is recorded; train with --validation")
        return Looked(label, tuple(known), Estimate.over([*known.values()], most=inf), "nats")

    def _group(self, asked: Statement, name: str) -> tuple[str, list[Run]]:
        """Its label and its runs."""
        labels, label = label_groups(self.runs, asked.by), self._label(asked, name)
        return label, [run for run in self.runs if labels[group_of(run, asked.by)] == label]

    def _label(self, asked: Statement, name: str, more: dict[str, str] | None = None) -> str:
        """See `named`; paths are as labels have them, or whole. `more`: further labels."""
        specs = self._specs(asked.by) | (more or {})
        specs = {label: self.short(spec) for label, spec in specs.items()}
        return named(self.short(name), specs, _room(asked.by))

    def _specs(self, by: str) -> dict[str, str]:
        """Label -> what `by` names; the method, where that is no spec."""
        labels = label_groups(self.runs, by)
        return {labels[group_of(run, by)]: str(run.config.get(_key(by))) for run in self.runs}


_ROOMS = {"method": "methods", "model": "models", "data": "datasets"}
"""The settings that are specs, and what they are specs of."""


def _key(by: str) -> str:
    return by if by in _ROOMS else "method"


def _room(by: str) -> str:
    return _ROOMS[_key(by)]


def _spec_of(curve: Curve, by: str) -> str:
    """A defence is part of what a curve's method is called, and of nothing else."""
    if (key := _key(by)) == "method":
        return curve.method
    return "+".join(filter(None, (getattr(curve, key), curve.defence)))


def named(name: str, specs: Mapping[str, str], room: str = "methods") -> str:
    """The label that is `name`; or whose spec it is, in any spelling; or begins so.

    `specs`: of every label. What a label adds to its spec (``plain, label-noise=0.2``) must be
    added as it is there, or be left out where that leaves one label.

    Raises:
        LackingError: none, or several.
    """

    def about(label: str) -> str:
        _, comma, rest = label.partition(", ")
        return name.removesuffix(comma + rest)

    for fits in (
        lambda label: label == name,
        lambda label: _spelled(specs[label], room) == _spelled(about(label), room),
        lambda label: [part for part, _ in _spelled(specs[label], room)] == split(about(label)),
        lambda label: label.startswith((f"{name}, ", f"{name} + ")),
        lambda label: label.partition("=")[2] == name,
    ):
        found = [label for label in specs if fits(label)]
        if len(found) > 1:
            raise LackingError(f"{name} is several groups: {'; '.join(found)}; name one")
        if found:
            return found[0]
    raise LackingError(f"no run of {name}; there are: {'; '.join(specs)}")


def _spelled(spec: str, room: str) -> list[tuple[str, dict[str, object]]]:
    """Names with every parameter, those that are not written, too."""
    found = []
    for part in split(spec):
        name, given = read(part)
        usual = defaults(room, name) if name in names(room) else {}
        found.append((name, {key: _plain(value) for key, value in {**usual, **given}.items()}))
    return found


def _plain(value: object) -> object:
    with suppress(UsageError):
        return float(number(str(value)))
    return str(value).lower()
