"""Analyses: what is stored of them in run directories, and a table of their numbers over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from math import inf, isnan
from typing import Any

import pandas as pd

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.runs.analysed import Analysed, Number
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import Plugin
from robustbench_cli.statistics.intervals import wilson

from .formats.table import WIDTH, Section, Table
from .numbers.labels import group_of, label_groups
from .numbers.paths import short_paths
from .numbers.summary import Estimate
from .tables.cells import INTERVALS, NONE, listing, percent, view_text

Analyses = str | Plugin | Iterable[object] | None
FORMAT = 1
_HEADERS = {"share": "{} (%)", "pixels": "{} (pixels)", "degrees": "{} (°)"}


@dataclass(frozen=True)
class Answer:
    """One stored analysis of one run, with the group that the run belongs to."""

    run: Run
    group: str
    label: str
    analysed: Analysed

    @property
    def spec(self) -> str:
        return self.analysed.analysis

    @property
    def name(self) -> str:
        return self.spec.partition(":")[0]

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the analysis, with everything filled in."""
        given: dict[str, Any] = self.analysed.record.get("parameters", {})
        return given

    @property
    def view(self) -> str:
        return str(self.analysed.record.get("identity", {}).get("view", "deployed"))

    @property
    def seed(self) -> int:
        """Of the analysis, not of the run."""
        return int(self.analysed.record.get("seed", 0))

    @property
    def classes(self) -> list[str]:
        return [str(name) for name in self.run.record.get("data", {}).get("classes", ())]

    @property
    def key(self) -> tuple[str, str, int]:
        """What must be the same for numbers to be set beside each other."""
        return self.spec, self.view, self.seed


def collect_analyses(
    runs: Sequence[Run], *, by: str = "method", analysis: Analyses = None
) -> list[Answer]:
    """All that is stored, analysis by analysis, in the order of the runs.

    `analysis`: a spec; where none is exactly that, all with the parameters that it gives.

    Raises:
        RunError: no run was looked at.
        UsageError: none by this analysis.
    """
    labels, found = label_groups(runs, by), []
    for run in runs:
        for analysed in run.analyses():
            group = group_of(run, by)
            defence = analysed.record.get("identity", {}).get("defence")
            behind = f" + {defence}" if defence else ""
            found.append(Answer(run, group + behind, labels[group] + behind, analysed))
    if not found:
        raise RunError(
            f"{runs[0].path}: nothing was analysed yet; "
            f"type: robustmix analyse {runs[0].path} -n church-window"
        )
    specs = list(dict.fromkeys(answer.spec for answer in found))
    chosen = _select(specs, analysis)
    order = {spec: i for i, spec in enumerate(chosen)}
    kept = [answer for answer in found if answer.spec in order]
    return sorted(kept, key=lambda answer: (order[answer.spec], answer.view, answer.seed))


def _select(specs: Sequence[str], analysis: Analyses) -> list[str]:
    if analysis is None:
        return sorted(specs)
    chosen: list[str] = []
    for wanted in map(str, [analysis] if isinstance(analysis, (str, Plugin)) else analysis):
        named = [s for s in specs if s == wanted] or [s for s in specs if _stands_for(wanted, s)]
        if not named:
            raise UsageError(f"no run holds the analysis {wanted}; there are: {listing(specs)}")
        chosen += named
    return list(dict.fromkeys(chosen))


def _stands_for(wanted: str, spec: str) -> bool:
    """The same analysis, with every parameter that `wanted` gives."""
    (name, _, given), (other, _, stored) = wanted.partition(":"), spec.partition(":")
    return name == other and set(filter(None, given.split(","))) <= set(stored.split(","))


def of_name(
    answers: Sequence[Answer], name: str, columns: Iterable[str] = (), settings: Iterable[str] = ()
) -> list[Answer]:
    """Those of one analysis, whatever its parameters.

    Raises:
        RunError: there is none, or one lacks some of the `columns` of its table, or some of the
            `settings` among the parameters of its record.
    """
    found = [answer for answer in answers if answer.name == name]
    if not found:
        run = answers[0].run.path
        raise RunError(f"{run}: nothing to draw; type: robustmix analyse {run} -n {name}")
    for answer in found:
        held: dict[str, set[str]] = {
            "column": set(map(str, answer.analysed.table)),
            "parameter": set(answer.parameters),
        }
        for kind, needed in (("column", columns), ("parameter", settings)):
            if missing := [each for each in needed if each not in held[kind]]:
                where = answer.run.path
                raise RunError(
                    f"{where}: what is stored of {answer.spec} has no {kind} {listing(missing)}; "
                    f"type: robustmix analyse {where} -n {answer.spec} --force"
                )
    return found


@dataclass(frozen=True)
class Line:
    """The numbers of one group under one analysis, averaged over the seeds of its runs."""

    first: Answer
    runs: tuple[str, ...]
    estimates: dict[str, Estimate]
    units: dict[str, str]


def lines(answers: Sequence[Answer]) -> list[Line]:
    """One for each analysis, view and group, in the order of the answers."""
    groups: dict[tuple[Any, ...], list[Answer]] = {}
    for answer in answers:
        groups.setdefault((*answer.key, answer.group), []).append(answer)
    return [_line(list(alike)) for alike in groups.values()]


def _line(answers: list[Answer]) -> Line:
    numbers: dict[str, list[Number]] = {}
    for answer in answers:
        for number in answer.analysed.numbers:
            numbers.setdefault(number.name, []).append(number)
    estimates = {}
    for name, given in numbers.items():
        known = [number for number in given if not isnan(number.value)]
        if known:
            estimates[name] = _estimate(known)
    units = {name: given[0].unit for name, given in numbers.items()}
    return Line(answers[0], tuple(a.run.name for a in answers), estimates, dict(units))


def _estimate(known: list[Number]) -> Estimate:
    first = known[0]
    interval = wilson(first.value * first.of, first.of) if first.of else None
    most = 1.0 if first.unit == "share" else inf
    return Estimate.over([number.value for number in known], wilson=interval, most=most)


def analysis_table(answers: Sequence[Answer], by: str = "method") -> Table:
    """A section for each analysis, a row for each group, a column for each number."""
    everything = lines(answers)
    sections = []
    for _, alike in groupby(everything, key=lambda line: line.first.key):
        sections.append(_section(list(alike), by, everything))
    kinds = {e.interval for line in everything for e in line.estimates.values()}
    first = everything[0].first.run.config
    about = f"{short_paths([first['data']])(first['data'])}, {first['model']}"
    if all(len(line.runs) != 2 for line in everything):
        kinds -= {"none"}
    told = [text for kind, text in INTERVALS.items() if kind in kinds]
    same = len({(a.run.config["data"], a.run.config["model"]) for a in answers}) == 1
    return Table(
        caption=tuple([f"Analyses: {about}." if same else "Analyses.", *told]),
        sections=tuple(sections),
        footer=("robustmix --explain NAME says what each number is.",),
        frame=_frame(everything),
        document=_document(everything),
    )


def _section(alike: list[Line], by: str, everything: Sequence[Line]) -> Section:
    first = alike[0].first
    units = {name: unit for line in alike for name, unit in line.units.items()}
    labels = [line.first.label for line in alike]
    columns = {by.replace("_", "-"): labels}
    for name, unit in units.items():
        header = _HEADERS.get(unit, "{}").format(name)
        columns[header] = [cell(line.estimates.get(name), unit) for line in alike]
    columns["runs"] = [str(len(line.runs)) for line in alike]
    views = {line.first.view for line in everything}
    seeds = {line.first.seed for line in everything}
    title = [first.spec] + [view_text(first.view)] * (len(views) > 1 or first.view != "deployed")
    title += [f"analysis seed {first.seed}"] * (len(seeds) > 1)
    section = Section(", ".join(title), tuple(columns), tuple(zip(*columns.values(), strict=True)))
    return section if section.width <= WIDTH else _turned(section)


def _turned(section: Section) -> Section:
    """Rows and columns swapped: a line for each number, where they do not fit side by side."""
    header, *rows = zip(section.header, *section.rows, strict=True)
    return Section(section.title, tuple(header), tuple(tuple(row) for row in rows))


def cell(estimate: Estimate | None, unit: str) -> str:
    """A share in percent; other numbers with three digits; both with their interval."""
    if estimate is None:
        return NONE
    if unit == "share":
        return percent(estimate)
    value, half = f"{estimate.value:.3g}", estimate.half_width
    if half is not None:
        return f"{value} ± {half:.2g}"
    if len(estimate.values) > 1:
        return f"{value} ({', '.join(f'{v:.3g}' for v in estimate.values)})"
    return value


def _about(line: Line) -> dict[str, Any]:
    first = line.first
    config = {key: first.run.config.get(key) for key in ("data", "model", "method")}
    return {"label": first.label, **config, "analysis": first.spec, "view": first.view}


def _frame(everything: Sequence[Line]) -> pd.DataFrame:
    """One row per group, analysis and number."""
    rows = []
    for line in everything:
        for name, unit in line.units.items():
            e = line.estimates.get(name)
            numbers = {"value": None, "low": None, "high": None, "interval": None}
            if e is not None:
                numbers |= {key: getattr(e, key) for key in numbers}
            about = {**_about(line), "number": name, "unit": unit}
            rows.append({**about, **numbers, "runs": len(line.runs)})
    return pd.DataFrame(rows)


def _document(everything: Sequence[Line]) -> dict[str, Any]:
    found = []
    for line in everything:
        numbers = {
            name: {"unit": unit, **asdict(line.estimates[name])} if name in line.estimates else None
            for name, unit in line.units.items()
        }
        found.append({**_about(line), "runs": list(line.runs), "numbers": numbers})
    return {"format": FORMAT, "analyses": found}
