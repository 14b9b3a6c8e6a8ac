"""What each member of a worst case broke and cost: a section for each evaluation of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.runs.evaluation import Evaluation

_HEADER = ("member", "eps", "tried", "broke", "forwards", "backwards", "seconds")


def member_sections(files: Sequence[Path]) -> list[Section]:
    """For records that have `members`. Each tried what the ones above it left; passes are per image
    of the evaluation, so that they add up."""
    return [
        _section(path.parent.parent.name, evaluation)
        for path in files
        if (evaluation := Evaluation.load(path)).record.get("members")
    ]


def _section(run: str, evaluation: Evaluation) -> Section:
    rows = [
        (
            member["member"],
            member["eps"],
            *(str(member[key]) for key in ("tried", "broken")),
            *(f"{member[key] / evaluation.n:.1f}" for key in ("forwards", "backwards")),
            f"{member['seconds']:.1f}",
        )
        for member in evaluation.record["members"]
    ]
    title = f"{run}, {evaluation.attack}: each member on what those above it left, passes per image"
    return Section(title, _HEADER, tuple(rows))
