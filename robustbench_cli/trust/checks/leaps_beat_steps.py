"""Does FAB break much that a gradient attack left? Then its steps do not get there.

Counted is what FAB breaks of the most doubtful samples beyond what the attack itself breaks of them
when it is twice as strong, as a share of all images that they were chosen from. More than half a
point is a warning; more than five points a failure: what was measured is the attack's weakness, not
the network's strength.
Croce & Hein 2020, arXiv:1907.02044; 2003.01690.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding
from robustbench_cli.trust.comparing import twice_as_strong


@dataclass(kw_only=True)
class LeapsBeatSteps(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation, seen in evidence.signals("leaps"):
            name, norm = evaluation.attack, evaluation.norm
            fell = seen["broken"] - twice_as_strong(evaluation, seen["tried"])
            drop = fell / seen["n"]
            if drop <= 0.005:
                text = f"{name}: leaps to the boundary hardly find more than its steps"
                yield self.found("pass", text, of=[evaluation])
                continue
            worst = "worst-case" if norm == "linf" else f"worst-case:{norm}"
            yield self.found(
                "failure" if drop > 0.05 else "warning",
                f"{name}: FAB breaks {seen['broken']} of {seen['tried']} samples that it left at "
                f"eps {seen['eps']}, where its steps do not get",
                f"-a {norm}-fab or -a {worst}",
                of=[evaluation],
            )
