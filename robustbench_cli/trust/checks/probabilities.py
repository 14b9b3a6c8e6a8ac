"""Does the network answer with logits, or with probabilities?

Gradients of a loss on probabilities (a softmax of a softmax) are flat, and attacks that read logits
are misled. Warns where every answer lies in [0, 1] and sums to 1.
Croce & Hein, ICML 2020, arXiv 2003.01690.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding


@dataclass(kw_only=True)
class Probabilities(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen = evidence.worst("answers", "probabilities")
        if seen is None:
            return
        if seen["probabilities"] == 1:
            yield self.found(
                "failure",
                "every answer lies in [0, 1] and sums to 1: probabilities, where attacks expect "
                "logits",
                "take the softmax out of the network, and attack again",
            )
        else:
            yield self.found("pass", "the network answers with logits")
