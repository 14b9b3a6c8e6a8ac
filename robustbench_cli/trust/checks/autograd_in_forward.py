"""Does the network take gradients while it predicts?

A defence that optimises as it predicts hides its true gradient from an attack that differentiates
one forward pass. Warns where a forward pass starts a backward pass.
Croce & Hein, ICML 2020, arXiv 2003.01690; Croce et al., ICML 2022, arXiv 2202.13711.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding, blind


@dataclass(kw_only=True)
class AutogradInForward(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen = evidence.worst("forward-pass", "gradients")
        if seen is None:
            return
        if seen["gradients"]:
            yield self.found(
                "warning",
                f"one forward pass runs {seen['gradients']} backward passes: the network optimises "
                "as it predicts, which plain gradients do not see through",
                f"add attacks without gradients: {blind('linf')}",
            )
        else:
            yield self.found("pass", "a forward pass takes no gradients")
