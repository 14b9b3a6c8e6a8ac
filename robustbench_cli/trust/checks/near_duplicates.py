"""Are several attacks really several?

BIM and PGD take the same steps and differ in where they start: together they are hardly more than
one. Warns where two attacks of that family are all there is of a norm.
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding, blind

FAMILY = {"bim", "pgd"}
WEAK = {"fgsm", "fgm", "noise"}  # no second opinion either


@dataclass(kw_only=True)
class NearDuplicates(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for norm in sorted({e.norm for e in evidence.evaluations}):
            names = {e.attack.partition(":")[0] for e in evidence.evaluations if e.norm == norm}
            kinds = {name.removeprefix(f"{norm}-") for name in names} - WEAK
            if len(kinds) < 2:
                continue
            if kinds <= FAMILY:
                listing = " and ".join(f"{norm}-{kind}" for kind in sorted(kinds))
                text = f"{listing} are near-duplicates and count as one attack"
                yield self.found("warning", text, f"add one of another kind: {blind(norm)}")
            else:
                yield self.found("pass", f"{norm}: attacks of more than one kind")
