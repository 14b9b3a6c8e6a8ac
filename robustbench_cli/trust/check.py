"""The contract of a check: it reads evidence and says whether a number can be believed.

Checks read what evaluations recorded: their rows, and the signals that were measured beside them.
So they cost nothing, need no torch, and can be asked again of results that are years old.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import Plugin, build, names

Level = Literal["pass", "warning", "failure"]
About = Literal["network", "attack", "gradients", "one step"]
"""What a failure makes worthless: every accuracy of the network, those under attack, or only those
under attacks that follow gradients, or that take one step."""


@dataclass(frozen=True)
class Evidence:
    """What is known of one network: its config, its data, and what attacked it.

    transfers: adversarials of other networks that were shown to it. validation: its accuracy at the
    end of training, on held-out images. shown: the file names of the evaluations that the table at
    hand is made of; None: all.
    certificates: what was proved of it, which is never among the evaluations. ended: the last row
    of its history.csv. guess: how somebody else's weights see images, where no one said.
    """

    config: Mapping[str, Any]
    facts: Mapping[str, Any]
    evaluations: Sequence[Evaluation]
    transfers: Sequence[Evaluation] = ()
    validation: float | None = None
    shown: Collection[str] | None = None
    certificates: Sequence[Evaluation] = ()
    ended: Mapping[str, float] = field(default_factory=dict)
    guess: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """0 where they are not known."""
        return len(self.facts.get("classes", ()))

    def shows(self, evaluation: Evaluation) -> bool:
        """Whether the table at hand is made of it, among others."""
        return self.shown is None or evaluation.file_name in self.shown

    def signals(self, name: str) -> Iterator[tuple[Evaluation, Mapping[str, Any]]]:
        """What was measured under this name, with the evaluation it was measured beside."""
        for evaluation in self.evaluations:
            found = evaluation.record.get("signals", {}).get(name)
            if found:
                yield evaluation, found

    def worst(self, name: str, key: str) -> Mapping[str, Any] | None:
        """The measurement with the largest value of `key`; None if there is none."""
        found = [numbers for _, numbers in self.signals(name)]
        return max(found, key=lambda numbers: float(numbers[key])) if found else None


@dataclass(frozen=True)
class Finding:
    """One verdict: what was seen, and what to type about it.

    of: the evaluations that it speaks of; empty where it speaks of the network. asked: whether
    one of them was asked for, or the network is.
    """

    check: str
    level: Level
    text: str
    remedy: str = ""
    about: About = "attack"
    of: tuple[Evaluation, ...] = field(default=(), repr=False, compare=False)
    asked: bool = True

    def __str__(self) -> str:
        return f"{self.text} [{self.check}]" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(kw_only=True)
class Check(Plugin):
    """One signal; one file in checks/ each."""

    room: ClassVar[str] = "checks"
    about: ClassVar[About] = "attack"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        """Nothing, where there is nothing to read; else at least one finding."""
        raise NotImplementedError

    def found(
        self, level: Level, text: str, remedy: str = "", *, of: Iterable[Evaluation] = ()
    ) -> Finding:
        return Finding(self.name, level, text, remedy, self.about, tuple(of))


def examine(evidence: Evidence) -> list[Finding]:
    """What every check of the folder says, worst first."""
    order = {"failure": 0, "warning": 1, "pass": 2}
    found = [finding for check in _checks() for finding in check.look(evidence)]
    return sorted(found, key=lambda finding: order[finding.level])


@cache
def _checks() -> list[Check]:
    return [build(Check, name) for name in names("checks")]


def unmeasured(evaluations: Iterable[Evaluation]) -> list[str]:
    """Signals that were left out of every evaluation because of their cost."""
    found = [evaluation.record.get("signals", {}) for evaluation in evaluations]
    left = {name for signals in found for name in signals.get("left_out", ())}
    return sorted(left - {name for signals in found for name in signals})


def verdict(findings: Iterable[Finding]) -> str:
    """The line that ends a table."""
    levels = [finding.level for finding in findings]
    if not levels:
        return "Checks: nothing to check; attack with more than one attack or epsilon."
    failed, warned = levels.count("failure"), levels.count("warning")
    if failed:
        return f"Checks: {failed} failed, {warned} warned: do not trust these numbers yet."
    if warned:
        return f"Checks: {warned} warned, {levels.count('pass')} passed."
    return f"Checks: {len(levels)} passed."


def suggest(*specs: str) -> str:
    """``-a SPEC`` for the first of these attacks that there is."""
    known = names("attacks")
    return next((f"-a {spec}" for spec in specs if spec.partition(":")[0] in known), "-a linf-pgd")


def blind(norm: str) -> str:
    """An attack without gradients to type, in this norm if there is one."""
    return suggest(f"{norm}-square", f"{norm}-boundary", "l2-boundary")
