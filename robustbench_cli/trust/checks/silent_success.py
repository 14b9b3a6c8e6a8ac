"""Did the attack pass an adversarial and return something else?

Then the sample counts as robust although the attack broke it on the way. Warns where that happened
to more than half a percent of the samples looked at.
Pintor et al., NeurIPS 2022, arXiv 2106.09947.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding, suggest


@dataclass(kw_only=True)
class SilentSuccess(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation, seen in evidence.signals("convergence"):
            if "silent" not in seen:
                continue
            if seen["silent"] > 0.005 * seen["n"]:
                norm = evaluation.norm
                yield self.found(
                    "warning",
                    f"{evaluation.attack}: {seen['silent']} of {seen['tried']} samples were "
                    "adversarial on the way and not at the end",
                    "use an attack that keeps its best point: "
                    + suggest(f"{norm}-apgd-ce", f"{norm}-pgd"),
                    of=[evaluation],
                )
            else:
                yield self.found(
                    "pass", f"{evaluation.attack} returns what it found", of=[evaluation]
                )
