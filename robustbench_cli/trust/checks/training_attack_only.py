"""Was an adversarially trained network attacked by more than what it was trained on?

A network is always good against the attack of its own training. One more attack, best one of
another kind, is the least.
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding

_TRAINED_ON = {
    "fgsm-at": "fgsm",
    "fast-at": "fgsm",
    "free-at": "fgsm",
    "pgd-at": "pgd",
    "advprop": "pgd",
    "trades": "pgd",
    "mart": "pgd",
    "avm": "pgd",
}


@dataclass(kw_only=True)
class TrainingAttackOnly(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        methods = [m.partition(":")[0] for m in str(evidence.config.get("method")).split("+")]
        trained = {_TRAINED_ON[m] for m in methods if m in _TRAINED_ON}
        if not trained or not evidence.evaluations:
            return
        free = [e for e in evidence.evaluations if not e.tally.targeted]  # others break less
        kinds = {e.attack.partition(":")[0].partition("-")[2] for e in free}
        if kinds <= trained | {"fgsm", "noise"}:
            yield self.found(
                "warning",
                f"trained against {', '.join(sorted(trained))} and attacked by nothing of another "
                "kind",
                "add -a l2-deepfool or -a l2-boundary",
            )
        else:
            yield self.found("pass", "attacked by more than the attack of its training")
