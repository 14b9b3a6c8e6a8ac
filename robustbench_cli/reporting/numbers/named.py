"""What a statement is about, found among runs: a group by its name, its curve, its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from math import isnan
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
from .summary import Curve, Estimate, summarise
from .timing import training_seconds


class LackingError(Exception):
    """Why a statement cannot be held against these runs; a finding, not a mistake."""


class Looked(NamedTuple):
    """A number of an analysis, over the `runs` of a group that have one."""

    label: str
    runs: tuple[str, ...]
    estimate: Estimate
    unit: str


class Known:
    """Runs, and what was already read of them for another statement."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
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
        methods = self._methods(asked.by) | {curve.label: curve.method for curve in curves}
        label = named(name, methods)
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
        labels = label_groups(self.runs, asked.by)
        label = named(name, self._methods(asked.by))
        chosen = [run for run in self.runs if labels[group_of(run, asked.by)] == label]
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
        methods = {a.label: str(a.run.config.get("method")) for a in answers}
        label = named(name, self._methods(asked.by) | methods)
        fitting = [a for a in answers if a.label == label and asked.view in (None, a.view)]
        found = lines(fitting)
        if not found:
            raise LackingError(f"{label}: not analysed; type -n {asked.analysis}")
        if len(found) > 1:
            specs = ", ".join(sorted({line.first.spec for line in found}))
            raise LackingError(f"{label}: several analyses fit, in spec, view or seed: {specs}")
        (line,), wanted = found, str(asked.number)
        if wanted not in line.estimates:
            known = ", ".join(line.units)
            raise LackingError(f"{line.first.spec} gives no {wanted!r}; it gives: {known}")
        runs = tuple(a.run.name for a in fitting if not isnan(a.analysed[wanted]))
        return Looked(label, runs, line.estimates[wanted], line.units[wanted])

    def _methods(self, by: str) -> dict[str, str]:
        """Label -> method."""
        labels = label_groups(self.runs, by)
        return {labels[group_of(run, by)]: str(run.config.get("method")) for run in self.runs}


def named(name: str, methods: Mapping[str, str]) -> str:
    """The label that is `name`; or whose method it is, in any spelling; or begins so.

    Raises:
        LackingError: none, or several.
    """
    for fits in (
        lambda label: label == name,
        lambda label: _spelled(methods[label]) == _spelled(name),
        lambda label: [part for part, _ in _spelled(methods[label])] == split(name),
        lambda label: label.startswith((f"{name}, ", f"{name} + ")),
        lambda label: label.partition("=")[2] == name,
    ):
        found = [label for label in methods if fits(label)]
        if len(found) > 1:
            raise LackingError(f"{name} is several groups: {'; '.join(found)}; name one")
        if found:
            return found[0]
    raise LackingError(f"no run of {name}; there are: {'; '.join(methods)}")


def _spelled(method: str) -> list[tuple[str, dict[str, object]]]:
    """Names with every parameter, those that are not written, too."""
    found = []
    for part in split(method):
        name, given = read(part)
        usual = defaults("methods", name) if name in names("methods") else {}
        found.append((name, {key: _plain(value) for key, value in {**usual, **given}.items()}))
    return found


def _plain(value: object) -> object:
    with suppress(UsageError):
        return float(number(str(value)))
    return str(value).lower()
