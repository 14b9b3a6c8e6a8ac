"""What the checks say of the runs in a table: warnings, a verdict line, and entries for JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any, NamedTuple

import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run

from .check import Evidence, Finding, examine, unmeasured, verdict

FEW = 3
"""Runs that a line names one by one; of more, it names the folders."""


class Subject(NamedTuple):
    """A run; behind a defence, or without those of its own (bare), it is another network."""

    run: str
    defence: str = ""
    view: str = "deployed"

    def __str__(self) -> str:
        name = f"{self.run} + {self.defence}" if self.defence else self.run
        return name if self.view == "deployed" else f"{name} ({self.view})"

    @classmethod
    def of(cls, run: str, defence: str, view: str) -> Subject:
        """`view` as in tables; certificates stand with the attacks on the deployed network."""
        return cls(run, defence, "bare" if view == "bare" else "deployed")


Found = Mapping[Subject, Sequence[Finding]]


class _Asked(NamedTuple):
    """File names of evaluations of one subject: those in the table's rows, those asked for."""

    shown: frozenset[str]
    files: frozenset[str]


def examine_runs(runs: Iterable[Run], frame: pd.DataFrame | None = None) -> Found:
    """Everything that attacked a subject speaks, also what was not asked for, which is marked.

    `frame`: the rows of the table at hand (see `frame.collect`); its subjects are examined, and
    what it was collected from was asked for. None: every run without a defence, and everything.
    """
    runs = [run.with_only(None) for run in runs]
    crafted: dict[object, list[Evaluation]] = {}
    for run in runs:
        for transfer in run.transfers():
            crafted.setdefault(transfer.record.get("target"), []).append(transfer)
    table = None if frame is None else _table(frame)
    found: dict[Subject, list[Finding]] = {}
    for run in runs:
        evaluations = run.evaluations()
        subjects: Collection[Subject] = {
            _subject(run.name, e) for e in evaluations if not _defence(e)
        }
        subjects = subjects or {Subject(run.name)} if table is None else table.keys()
        for subject in sorted(subject for subject in subjects if subject.run == run.name):
            own = [e for e in evaluations if _subject(run.name, e) == subject]
            seen = [
                t
                for t in crafted.get(run.name, ())
                if t.record.get("source") != run.name and _subject(run.name, t) == subject
            ]
            asked = None if table is None else table[subject]
            plain = not subject.defence and subject.view == "deployed"
            evidence = Evidence(
                run.config,
                run.record.get("data", {}),
                [e for e in own if not _certified(e)],
                seen,
                run.record.get("validation_accuracy") if plain else None,
                asked and asked.shown,
                [e for e in evaluations if _certified(e)],
                _last_epoch(run),
                run.record.get("guess", {}),
            )
            found[subject] = _marked(examine(evidence), evaluations, asked)
    return found


def _table(frame: pd.DataFrame) -> dict[Subject, _Asked]:
    rows: dict[Subject, tuple[set[str], set[str]]] = {}
    columns = (frame[key] for key in ("run", "defence", "view", "file", "files"))
    for run, defence, view, file, files in zip(*columns, strict=True):
        shown, asked = rows.setdefault(Subject.of(run, defence, view), (set(), set()))
        shown.add(file)
        asked.update(files.split())
    return {key: _Asked(frozenset(a), frozenset(b)) for key, (a, b) in rows.items()}


def _marked(
    findings: Iterable[Finding], evaluations: Iterable[Evaluation], asked: _Asked | None
) -> list[Finding]:
    """With `asked` False where a finding is about other evaluations only."""
    if asked is None:
        return list(findings)
    mine = {id(e) for e in evaluations if e.file_name in asked.files}
    return [
        finding
        if not finding.of or mine & {id(e) for e in finding.of}
        else replace(finding, asked=False)
        for finding in findings
    ]


def _subject(run: str, evaluation: Evaluation) -> Subject:
    view = evaluation.record.get("identity", {}).get("view")
    return Subject.of(run, _defence(evaluation), "" if _certified(evaluation) else str(view))


def _certified(evaluation: Evaluation) -> bool:
    return evaluation.record.get("kind") == "certified"


def _defence(evaluation: Evaluation) -> str:
    return str(evaluation.record.get("identity", {}).get("defence") or "")


def _last_epoch(run: Run) -> dict[str, float]:
    """The last row of history.csv; empty where there is none, as for somebody else's weights."""
    if not (run.path / "history.csv").is_file():
        return {}
    try:
        rows = run.history().select_dtypes("number").to_dict("records")
    except RunError:
        return {}
    return {str(key): float(value) for key, value in rows[-1].items()} if rows else {}


def warnings(found: Found) -> list[str]:
    """What was asked for and did not pass, worst first; lines that differ only in numbers once."""
    kinds: dict[tuple[str, str], list[tuple[Subject, Finding]]] = {}
    for subject, finding in _flat(found, asked=True):
        if finding.level != "pass":
            kind = re.sub(r"\d[\d.%/]*", "#", finding.text)
            kinds.setdefault((finding.level, kind), []).append((subject, finding))
    lines = []
    for (_, _), same in sorted(kinds.items(), key=lambda item: item[0][0]):
        (subject, finding), others = same[0], len(same) - 1
        more = f" (and so in {others} more run{'s' * (others > 1)})" if others else ""
        lines.append(f"{subject}: {finding}{more}")
    return lines


def apart(found: Found, runs: Iterable[Run]) -> str:
    """How many findings about evaluations that were not asked for did not pass; or empty."""
    others = [(subject, f) for subject, f in _flat(found, asked=False) if f.level != "pass"]
    counts = []
    for level in ("failure", "warning"):
        count = sum(finding.level == level for _, finding in others)
        counts += [f"{count} other {level}{'s' * (count > 1)}"] if count else []
    if not counts:
        return ""
    names = {subject.run for subject, _ in others}
    paths = [run.path for run in runs if run.name in names]
    if len(paths) > FEW:
        paths = [path.parent for path in paths]
    where = " ".join(quote(str(path)) for path in dict.fromkeys(paths))
    return f"{' and '.join(counts)} about attacks not asked for: robustmix report {where}"


def verdict_line(found: Found, runs: Iterable[Run]) -> str:
    """The verdict on what was asked for, and what it could not take into account."""
    line = verdict(finding for _, finding in _flat(found, asked=True))
    left = sorted({name for run in runs for name in unmeasured(run.evaluations())})
    return f"{line} Not measured: {', '.join(left)} (--checks full)." if left else line


def level_of(found: Found, runs: Iterable[str], defence: str = "", view: str = "deployed") -> str:
    """passed, warned or failed: the worst that the checks say of these runs; empty for nothing."""
    subjects = {Subject.of(run, defence, view) for run in runs}
    listed = _flat({key: found[key] for key in found if key in subjects}, asked=True)
    levels = {finding.level for _, finding in listed}
    words = {"failure": "failed", "warning": "warned", "pass": "passed"}
    return next((word for level, word in words.items() if level in levels), "")


def entries(found: Found, runs: Iterable[Run]) -> dict[str, Any]:
    """For JSON: every finding, also those that passed; what was not asked for stands apart."""
    return {
        "checks": [_entry(*each) for each in _flat(found, asked=True)],
        "verdict": verdict_line(found, runs),
        "other_checks": [_entry(*each) for each in _flat(found, asked=False)],
        "other_verdict": apart(found, runs) or None,
    }


def _flat(found: Found, *, asked: bool) -> Iterator[tuple[Subject, Finding]]:
    for subject, findings in found.items():
        yield from ((subject, finding) for finding in findings if finding.asked == asked)


def _entry(subject: Subject, finding: Finding) -> dict[str, Any]:
    return {
        "run": subject.run,
        "defence": subject.defence or None,
        "view": subject.view,
        "check": finding.check,
        "level": finding.level,
        "attacks": sorted({evaluation.attack for evaluation in finding.of}),
        "text": finding.text,
        "remedy": finding.remedy or None,
    }
