"""What the checks say of the runs in a table: warnings, a verdict line, and entries for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.check import Evidence, Finding, examine, unmeasured, verdict
from robustbench_cli.runs import Run

Found = Mapping[str, Sequence[Finding]]  # by run


def examine_runs(runs: Iterable[Run], attacks: Iterable[str] | None = None) -> Found:
    """Everything that attacked a run speaks, also what the table at hand does not show.

    `attacks`: those that it does show.
    """
    found: dict[str, list[Finding]] = {}
    runs = list(runs)
    crafted = [transfer for run in runs for transfer in run.transfers()]
    for run in runs:
        everything = run.evaluations()
        proved = [e for e in everything if e.record.get("kind") == "certified"]
        evidence = Evidence(
            run.config,
            run.record.get("data", {}),
            [e for e in everything if e.record.get("kind") != "certified"],
            [t for t in crafted if t.record.get("target") == run.name != t.record.get("source")],
            run.record.get("validation_accuracy"),
            None if attacks is None else frozenset(attacks),
            proved,
            _last_epoch(run),
        )
        found[run.name] = examine(evidence)
    return found


def _last_epoch(run: Run) -> dict[str, float]:
    """The last row of history.csv; empty where there is none, as for somebody else's weights."""
    try:
        rows = run.history().select_dtypes("number").to_dict("records")
    except RunError:
        return {}
    return {str(key): float(value) for key, value in rows[-1].items()} if rows else {}


def warnings(found: Found) -> list[str]:
    """What did not pass, worst first; lines that differ only in numbers stand once."""
    kinds: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
    for run, findings in found.items():
        for finding in findings:
            if finding.level != "pass":
                kind = re.sub(r"\d[\d.%/]*", "#", finding.text)
                kinds.setdefault((finding.level, kind), []).append((run, finding))
    lines = []
    for (_, _), same in sorted(kinds.items(), key=lambda item: item[0][0]):
        (run, finding), others = same[0], len(same) - 1
        more = f" (and so in {others} more run{'s' * (others > 1)})" if others else ""
        lines.append(f"{run}: {finding}{more}")
    return lines


def verdict_line(found: Found, runs: Iterable[Run]) -> str:
    """The verdict over all runs, and what it could not take into account."""
    line = verdict(finding for findings in found.values() for finding in findings)
    left = sorted({name for run in runs for name in unmeasured(run.evaluations())})
    return f"{line} Not measured: {', '.join(left)} (--checks full)." if left else line


def level_of(found: Found, runs: Iterable[str]) -> str:
    """passed, warned or failed: the worst that the checks say of these runs; empty for nothing."""
    levels = {finding.level for run in runs for finding in found.get(run, ())}
    words = {"failure": "failed", "warning": "warned", "pass": "passed"}
    return next((word for level, word in words.items() if level in levels), "")


def entries(found: Found) -> list[dict[str, Any]]:
    """Every finding, also those that passed."""
    return [
        {
            "run": run,
            "check": finding.check,
            "level": finding.level,
            "text": finding.text,
            "remedy": finding.remedy or None,
        }
        for run, findings in found.items()
        for finding in findings
    ]
