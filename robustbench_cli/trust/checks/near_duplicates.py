"""Are several attacks really several?

BIM and PGD take the same steps and differ in where they start: together they are hardly more than
one. Warns where two attacks of that family are all there is of a norm; one that aims at a class is
no second opinion either.
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.trust.check import Check, Evidence, Finding, blind

FAMILY = {"bim", "pgd"}
WEAK = {"fgsm", "fgm", "noise"}  # no second opinion either


@dataclass(kw_only=True)
class NearDuplicates(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for norm in sorted({e.norm for e in evidence.evaluations}):
            alike = [e for e in evidence.evaluations if e.norm == norm and not e.tally.targeted]
            strong = [e for e in alike if _kind(e) not in WEAK]
            kinds = {_kind(e) for e in strong}
            if len(kinds) < 2:
                continue
            if kinds <= FAMILY:
                listing = " and ".join(f"{norm}-{kind}" for kind in sorted(kinds))
                text = f"{listing} are near-duplicates and count as one attack"
                yield self.found(
                    "warning", text, f"add one of another kind: {blind(norm)}", of=strong
                )
            else:
                yield self.found("pass", f"{norm}: attacks of more than one kind", of=strong)


def _kind(evaluation: Evaluation) -> str:
    return evaluation.attack.partition(":")[0].removeprefix(f"{evaluation.norm}-")
