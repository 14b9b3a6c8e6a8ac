"""What the checks say of the runs in a table: warnings, a verdict line, and entries for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run

from .check import Evidence, Finding, examine, unmeasured, verdict


class Subject(NamedTuple):
    """A run, or a run behind a defence, which is another network."""

    run: str
    defence: str = ""

    def __str__(self) -> str:
        return f"{self.run} + {self.defence}" if self.defence else self.run


Found = Mapping[Subject, Sequence[Finding]]


def examine_runs(runs: Iterable[Run], frame: pd.DataFrame | None = None) -> Found:
    """Everything that attacked a subject speaks, also what the table at hand does not show.

    `frame`: the rows of that table (see `frame.collect`); its subjects are examined. None: every
    run without a defence.
    """
    runs = list(runs)
    crafted: dict[object, list[Evaluation]] = {}
    for run in runs:
        for transfer in run.transfers():
            crafted.setdefault(transfer.record.get("target"), []).append(transfer)
    table = None if frame is None else _table(frame)
    found: dict[Subject, list[Finding]] = {}
    for run in runs:
        for defence, shown in ({"": None} if table is None else table.get(run.name, {})).items():
            own = [e for e in run.evaluations() if _defence(e) == defence]
            seen = [
                t
                for t in crafted.get(run.name, ())
                if t.record.get("source") != run.name and _defence(t) == defence
            ]
            evidence = Evidence(
                run.config,
                run.record.get("data", {}),
                [e for e in own if e.record.get("kind") != "certified"],
                seen,
                None if defence else run.record.get("validation_accuracy"),
                shown,
                [e for e in own if e.record.get("kind") == "certified"],
                _last_epoch(run),
            )
            found[Subject(run.name, defence)] = examine(evidence)
    return found


def _table(frame: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """By run and defence: the attacks in the table, and on how many images."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    columns = (frame[key] for key in ("run", "defence", "attack", "n"))
    for run, defence, attack, n in zip(*columns, strict=True):
        found.setdefault(run, {}).setdefault(defence, {})[attack] = int(n)
    return found


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
    """What did not pass, worst first; lines that differ only in numbers stand once."""
    kinds: dict[tuple[str, str], list[tuple[Subject, Finding]]] = {}
    for subject, findings in found.items():
        for finding in findings:
            if finding.level != "pass":
                kind = re.sub(r"\d[\d.%/]*", "#", finding.text)
                kinds.setdefault((finding.level, kind), []).append((subject, finding))
    lines = []
    for (_, _), same in sorted(kinds.items(), key=lambda item: item[0][0]):
        (subject, finding), others = same[0], len(same) - 1
        more = f" (and so in {others} more run{'s' * (others > 1)})" if others else ""
        lines.append(f"{subject}: {finding}{more}")
    return lines


def verdict_line(found: Found, runs: Iterable[Run]) -> str:
    """The verdict over all runs, and what it could not take into account."""
    line = verdict(finding for findings in found.values() for finding in findings)
    left = sorted({name for run in runs for name in unmeasured(run.evaluations())})
    return f"{line} Not measured: {', '.join(left)} (--checks full)." if left else line


def level_of(found: Found, runs: Iterable[str], defence: str = "") -> str:
    """passed, warned or failed: the worst that the checks say of these runs; empty for nothing."""
    subjects = [Subject(run, defence) for run in runs]
    levels = {finding.level for subject in subjects for finding in found.get(subject, ())}
    words = {"failure": "failed", "warning": "warned", "pass": "passed"}
    return next((word for level, word in words.items() if level in levels), "")


def entries(found: Found) -> list[dict[str, Any]]:
    """Every finding, also those that passed."""
    return [
        {
            "run": subject.run,
            "defence": subject.defence or None,
            "check": finding.check,
            "level": finding.level,
            "text": finding.text,
            "remedy": finding.remedy or None,
        }
        for subject, findings in found.items()
        for finding in findings
    ]
