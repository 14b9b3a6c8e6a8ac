"""Can the attack walk through its ball? Steps that add up to less than 2ε cannot.

From a random start the far side is 2ε away; a step longer than ε mostly leaves the ball.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding


@dataclass(kw_only=True)
class CannotCrossBall(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation in evidence.evaluations:
            given = evaluation.record.get("parameters", {})
            steps, step = given.get("steps"), given.get("step-size")
            if not steps or evaluation.record.get("kind") != "budget":
                continue
            far = [
                e for e in evaluation.epsilons if step and e.value and steps * step < 2 * float(e)
            ]
            near = [e for e in evaluation.epsilons if step and e.value and step > float(e)]
            if far:
                yield self.found(
                    "warning",
                    f"{evaluation.attack}: {steps} steps of {step:g} do not cross the ball from "
                    f"eps {far[0]} on",
                    "leave step-size out (2.5 eps / steps), or take more steps",
                    of=[evaluation],
                )
            elif near:
                yield self.found(
                    "warning",
                    f"{evaluation.attack}: a step of {step:g} is longer than eps {near[-1]}",
                    "leave step-size out (2.5 eps / steps)",
                    of=[evaluation],
                )
            else:
                yield self.found("pass", f"{evaluation.attack} can cross its ball", of=[evaluation])
