"""Does the attack find more with twice the steps? Then its number is not the last word.

Some samples that the attack left unbroken were attacked again, twice as hard and with other random
numbers. Warns where that lowers accuracy by more than half a point, counting only those tried; for
a minimal-norm attack, where it shortens the median distance by more than 5 %.
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding


@dataclass(kw_only=True)
class NotConverged(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation, seen in evidence.signals("convergence"):
            name, again = evaluation.attack, f"-a {seen['attack']}"
            tried, broken = seen["tried"], seen.get("broken", 0)
            at = f" at eps {seen['eps']}" if "eps" in seen else ""
            drop = broken / max(1, seen.get("n", 1))
            if seen.get("shorter", 0) > 0.05:
                text = f"{name}: twice the steps shorten its distances by {seen['shorter']:.0%}"
                yield self.found("warning", text, again, of=[evaluation])
            elif broken > 1 and drop > 0.005:
                yield self.found(
                    "warning",
                    f"{name}: twice the steps break {broken} of {tried} samples that it left"
                    f"{at}, so accuracy is {drop:.1%} too high at least",
                    f"{again}, with restarts where it has them",
                    of=[evaluation],
                )
            else:
                yield self.found(
                    "pass", f"{name}: twice the steps hardly find more", of=[evaluation]
                )
