"""Does a one-step attack break more than an iterative one? Then the gradients mislead.

Compares attacks of one norm at the same epsilon on the same samples (sign test, p < 0.01).
Athalye, Carlini & Wagner, ICML 2018, arXiv 1802.00420.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding, lead, shared


@dataclass(kw_only=True)
class OneStepBeatsIterative(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        white = [e for e in evidence.evaluations if e.record.get("access") == "gradient"]
        one_step = [e for e in white if e.record.get("one_step")]
        iterative = [e for e in white if not e.record.get("one_step")]
        worst: dict[tuple[str, str], tuple[float, str]] = {}
        for one, many, eps in shared(one_step, iterative):
            key = one.attack, many.attack
            worst[key] = max(worst.get(key, (0.0, "")), (lead(many, one, eps), eps.text))
        for (one_name, many_name), (most, where) in worst.items():
            if not most:
                yield self.found("pass", f"{many_name} breaks no fewer samples than {one_name}")
                continue
            yield self.found(
                "failure",
                f"{one_name} breaks {most:.1%} more than {many_name} at eps {where}: the iterative "
                "attack fails, or gradients are masked",
                f"strengthen it: -a {many_name.partition(':')[0]}:steps=100,restarts=5, and add "
                "an attack without gradients",
            )
