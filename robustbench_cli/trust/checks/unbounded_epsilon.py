"""Is accuracy gone where everything is allowed?

At an Linf epsilon of 0.5 every image can be made grey, so nothing beats guessing; an attack that
leaves more than chance there does not work. Fails where an iterative gradient attack leaves
accuracy above chance (Wilson's 95 % interval) at such an epsilon, in its rows or when tried.
Carlini et al., "On Evaluating Adversarial Robustness", 2019, arXiv 1902.06705.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.statistics.intervals import wilson
from robustbench_cli.trust.check import About, Check, Evidence, Finding, blind


@dataclass(kw_only=True)
class UnboundedEpsilon(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation in evidence.evaluations if evidence.classes else ():
            found = dict(_rows(evaluation))
            tried = evaluation.record.get("signals", {}).get("unbounded")
            if tried:
                found[f"{float(tried['eps']):.4g}"] = float(tried["accuracy"]), int(tried["n"])
            if not found:
                continue
            above = {
                eps: accuracy
                for eps, (accuracy, n) in found.items()
                if wilson(round(accuracy * n), n)[0] > 1 / evidence.classes
            }
            if above:
                eps, accuracy = max(above.items(), key=lambda item: item[1])
                yield self.found(
                    "failure",
                    f"{evaluation.attack} leaves {accuracy:.1%} at eps {eps}, where an image can "
                    f"become any other: the attack fails, or gradients are masked",
                    f"attack without gradients: {blind(evaluation.norm)}",
                    of=[evaluation],
                )
            else:
                yield self.found(
                    "pass",
                    f"{evaluation.attack} leaves nothing without a bound",
                    of=[evaluation],
                )


def _rows(evaluation: Evaluation) -> Iterator[tuple[str, tuple[float, int]]]:
    """Accuracy at recorded epsilons that hold the grey image."""
    record = evaluation.record
    descends = record.get("access") == "gradient" and record.get("kind") == "budget"
    aims = evaluation.tally.targeted
    if not descends or record.get("one_step") or aims or evaluation.norm != "linf":
        return
    accuracy = evaluation.accuracy()["accuracy"]
    for eps, left in zip(evaluation.epsilons, accuracy, strict=True):
        if float(eps) >= 0.5:
            yield eps.text, (float(left), evaluation.n)
