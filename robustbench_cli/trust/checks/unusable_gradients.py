"""Are there gradients for an attack to follow?

Thresholds, roundings and saturated losses have none, and an attack by gradients then measures
nothing. Fails where the logit margin has no gradient at over 5 % of images or one is not finite,
or where cross-entropy alone has none (it underflows where logits are large); warns where a small
step gains less than half of what the gradient promises.
Carlini et al. 2019, arXiv 1902.06705; Pintor et al., NeurIPS 2022, arXiv 2106.09947.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding, blind, suggest


@dataclass(kw_only=True)
class UnusableGradients(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen = evidence.worst("gradients", "zero_margin")
        underflow = evidence.worst("gradients", "zero_ce")
        nan = evidence.worst("gradients", "nan")
        if seen is None or underflow is None or nan is None:
            return
        norm = evidence.evaluations[0].norm
        margin = suggest(f"{norm}-pgd-margin", f"{norm}-apgd-dlr")
        if nan["nan"]:
            text = f"the input gradient is not finite at {nan['nan']:.1%} of images"
            yield self.found("failure", text, f"attack without gradients: {blind(norm)}")
        elif seen["zero_margin"] > 0.05:
            yield self.found(
                "failure",
                f"the input gradient is zero at {seen['zero_margin']:.1%} of images, so gradient "
                "attacks measure nothing",
                f"attack without gradients: {blind(norm)}",
            )
        elif underflow["zero_ce"] > 0.01:
            yield self.found(
                "failure",
                f"cross-entropy has no gradient at {underflow['zero_ce']:.1%} of images: it "
                f"underflows (the label leads by {underflow['lead']:.3g} on average)",
                f"attack the margin of the logits: {margin}",
            )
        elif seen["predicted"] < 0.5:
            yield self.found(
                "warning",
                f"a step of 1/1000 gains {seen['predicted']:.0%} of what the gradient promises: "
                "gradients mislead",
                f"add attacks without gradients: {blind(norm)}",
            )
        else:
            yield self.found("pass", "gradients are there and say where the loss grows")
