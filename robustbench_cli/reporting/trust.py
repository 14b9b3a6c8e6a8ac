"""What the checks say of the runs in a table: warnings, a verdict line, and entries for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from robustbench_cli.evaluation.check import Evidence, Finding, examine, verdict
from robustbench_cli.results import Evaluation
from robustbench_cli.runs import Run

Found = Mapping[str, Sequence[Finding]]  # by run


def examine_runs(runs: Iterable[Run]) -> Found:
    """Everything that attacked a run speaks, also what the table at hand does not show."""
    found: dict[str, list[Finding]] = {}
    for run in runs:
        evaluations: list[Evaluation] = run.evaluations()
        evidence = Evidence(run.config, run.record.get("data", {}), evaluations)
        found[run.name] = examine(evidence)
    return found


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


def verdict_line(found: Found) -> str:
    return verdict(finding for findings in found.values() for finding in findings)


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
