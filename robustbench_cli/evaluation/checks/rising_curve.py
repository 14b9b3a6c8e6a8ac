"""Does accuracy rise with epsilon? A larger ball holds every smaller one, so the attack failed.

Reads the raw curves: one-step attacks, and `--schedule independent`. Warns where accuracy at an
epsilon is higher than at a smaller one on the same samples (sign test, p < 0.01).
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from robustbench_cli.evaluation.check import Check, Evidence, Finding, above, right


@dataclass(kw_only=True)
class RisingCurve(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation in evidence.evaluations:
            if evaluation.record.get("schedule") != "independent" or len(evaluation.epsilons) < 3:
                continue
            lowest, rises = None, []
            for smaller, larger in pairwise(e for e in evaluation.epsilons if e.value):
                if lowest is None or right(evaluation, smaller).mean() < lowest[1]:
                    lowest = smaller, float(right(evaluation, smaller).mean())
                rise = above(right(evaluation, larger), right(evaluation, lowest[0]))
                if rise:
                    rises.append((rise, lowest[0], larger))
            if not rises:
                yield self.found("pass", f"{evaluation.attack}: accuracy never rises with eps")
                continue
            rise, low, high = max(rises)
            yield self.found(
                "warning",
                f"{evaluation.attack}: accuracy rises by {rise:.1%} from eps {low} to {high}, so "
                "the attack overshoots or gradients are masked",
                f"add an iterative attack: -a {evaluation.norm}-pgd",
            )
