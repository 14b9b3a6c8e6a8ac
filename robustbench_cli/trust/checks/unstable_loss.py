"""Does the loss jump between points that nobody could tell apart?

Then a gradient says nothing of what lies a step away. Warns where the cross-entropy changes by more
than 10 % on average between points 1/1000 apart.
Pintor et al., NeurIPS 2022, arXiv 2106.09947.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding, blind


@dataclass(kw_only=True)
class UnstableLoss(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen = evidence.worst("loss-jumps", "change")
        if seen is None:
            return
        if seen["change"] > 0.1:
            yield self.found(
                "warning",
                f"the loss changes by {seen['change']:.0%} within 1/1000 of the image: its "
                "gradient says little of the next step",
                f"add attacks without gradients: {blind(evidence.evaluations[0].norm)}",
            )
        else:
            yield self.found("pass", f"the loss changes by {seen['change']:.1%} within 1/1000")
