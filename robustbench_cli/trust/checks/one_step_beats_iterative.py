"""Does a one-step attack break more than an iterative one? Then the gradients mislead.

Compares attacks of one norm at the same epsilon on the same samples (sign test, p < 0.01).
Athalye, Carlini & Wagner, ICML 2018, arXiv 1802.00420.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.trust.check import About, Check, Evidence, Finding
from robustbench_cli.trust.comparing import lead, shared


@dataclass(kw_only=True)
class OneStepBeatsIterative(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        white = [e for e in evidence.evaluations if e.record.get("access") == "gradient"]
        one_step = [e for e in white if e.record.get("one_step")]
        iterative = [e for e in white if not e.record.get("one_step")]
        worst: dict[tuple[str, str], tuple[float, str]] = {}
        about: dict[tuple[str, str], list[Evaluation]] = {}
        for one, many, eps in shared(one_step, iterative):
            key = one.attack, many.attack
            about.setdefault(key, []).extend([one, many])
            worst[key] = max(worst.get(key, (0.0, "")), (lead(many, one, eps), eps.text))
        for (one_name, many_name), (most, where) in worst.items():
            both = about[one_name, many_name]
            if not most:
                text = f"{many_name} breaks no fewer samples than {one_name}"
                yield self.found("pass", text, of=both)
                continue
            yield self.found(
                "failure",
                f"{one_name} breaks {most:.1%} more than {many_name} at eps {where}: the iterative "
                "attack fails, or gradients are masked",
                f"strengthen it: -a {many_name.partition(':')[0]}:steps=100,restarts=5, and add "
                "an attack without gradients",
                of=both,
            )
