"""Does the same image get the same answer, whatever stands beside it in the batch?

A network that draws random numbers needs attacks that average over draws; one whose answers depend
on the rest of the batch (batch norm that still counts, say) has no robustness of its own to speak
of. Warns where logits of two calls differ by more than 1e-4 (relative), or predictions change.
Croce & Hein, ICML 2020, arXiv 2003.01690; Athalye et al., ICML 2018, arXiv 1802.00420.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding, suggest


@dataclass(kw_only=True)
class RandomisedOutputs(Check):
    about: ClassVar[About] = "network"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen = evidence.worst("answers", "repeat")
        beside = evidence.worst("answers", "batch")
        if seen is None or beside is None:
            return
        if seen["repeat"] > 1e-4 or seen["repeat_flips"]:
            yield self.found(
                "warning",
                f"two answers to one image differ by {seen['repeat']:.2g}, and "
                f"{seen['repeat_flips']:.1%} of predictions change: the network draws random "
                "numbers",
                "average over draws: " + suggest("eot:attack=linf-pgd,draws=20", "l2-boundary"),
            )
        elif beside["batch"] > 1e-2 or beside["batch_flips"]:
            yield self.found(
                "failure",
                f"answers depend on the other images of the batch: {beside['batch_flips']:.1%} of "
                "predictions change with them",
                "let the network use stored statistics in eval mode",
            )
        else:
            yield self.found("pass", "the same image gets the same answer")
