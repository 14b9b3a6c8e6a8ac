"""Does accuracy rise with epsilon? A larger ball holds every smaller one, so the attack failed.

Reads the raw curves: one-step attacks, `--schedule independent`, and elsewhere the audited samples,
which are attacked at every epsilon as if there were no other. Warns where accuracy at an epsilon is
higher than at a smaller one on the same samples (sign test, p < 0.01). At epsilon 0 accuracy must
be the clean one, sample by sample.
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.trust.check import Check, Evidence, Finding
from robustbench_cli.trust.comparing import above, accident, right

Raw = dict[Eps, pd.Series]


@dataclass(kw_only=True)
class RisingCurve(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation in evidence.evaluations:
            name = evaluation.attack
            if evaluation.tally.moved:
                yield self.found(
                    "failure",
                    f"{name}: at eps 0 accuracy is not the clean accuracy",
                    "attack again: --force",
                    of=[evaluation],
                )
            if _falls(evaluation):
                yield self.found("pass", f"{name}: accuracy never rises with eps", of=[evaluation])
                continue
            raw = _raw(evaluation)
            if len(raw) < 2:
                continue
            rises = list(_rises(raw))
            if not rises:
                yield self.found("pass", f"{name}: accuracy never rises with eps", of=[evaluation])
                continue
            rise, low, high = max(rises)
            yield self.found(
                "warning",
                f"{name}: accuracy rises by {rise:.1%} from eps {low} to {high}, so the attack "
                "overshoots or gradients are masked",
                f"add an iterative attack: -a {evaluation.norm}-pgd",
                of=[evaluation],
            )


def _raw(evaluation: Evaluation) -> Raw:
    """For each epsilon above 0, which samples withstood it when it was tried on its own."""
    above_zero = [eps for eps in evaluation.epsilons if eps.value]
    if evaluation.record.get("schedule") == "independent":
        return {eps: right(evaluation, eps) for eps in above_zero}
    audit = evaluation.record.get("audit") or {}
    texts = {entry["eps"]: entry["right"] for entry in audit.get("epsilons", ())}
    return {
        eps: pd.Series([digit == "1" for digit in texts[eps.text]], index=audit["samples"])
        for eps in above_zero
        if eps.text in texts
    }


def _falls(evaluation: Evaluation) -> bool:
    """Whether the counts say so, which need no rows, of epsilons that were tried on their own."""
    counts = zip(evaluation.epsilons, evaluation.tally.right, strict=True)
    right = [count for eps, count in counts if eps.value]
    lowest = accumulate(right, min)
    alone = evaluation.record.get("schedule") == "independent" and len(right) > 1
    return alone and all(accident(now - low) for now, low in zip(right, lowest, strict=True))


def _rises(raw: Raw) -> Iterator[tuple[float, Eps, Eps]]:
    """From the lowest accuracy so far to a higher one."""
    lowest: Eps | None = None
    for smaller, larger in pairwise(raw):
        if lowest is None or raw[smaller].mean() < raw[lowest].mean():
            lowest = smaller
        rise = above(raw[larger], raw[lowest])
        if rise:
            yield rise, lowest, larger
