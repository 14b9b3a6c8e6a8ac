"""Does an attack without gradients break more than those with them? Then gradients are masked.

Compares attacks of one norm at the same epsilon on the same samples (sign test, p < 0.01).
Athalye, Carlini & Wagner, ICML 2018, arXiv 1802.00420.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.evaluation.check import Check, Evidence, Finding, above, right, shared


@dataclass(kw_only=True)
class BlackBoxBeatsWhiteBox(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        known = [e for e in evidence.evaluations if "access" in e.record]
        black = [e for e in known if e.record["access"] != "gradient"]
        white = [e for e in known if e.record["access"] == "gradient"]
        for blind in black:
            # against the best of the white boxes: a weak one beside a strong one is no sign
            leads: dict[str, float] = {}
            for one, other, eps in shared([blind], white):
                lead = above(right(other, eps), right(one, eps)) or 0.0
                leads[eps.text] = min(leads.get(eps.text, 1.0), lead)
            if not leads:
                continue
            lead, where = max((lead, where) for where, lead in leads.items())
            if not lead:
                yield self.found("pass", f"{blind.attack} breaks no more than gradients do")
                continue
            yield self.found(
                "failure",
                f"{blind.attack} breaks {lead:.1%} more than every gradient attack at eps {where}: "
                "gradients are masked",
                f"report {blind.attack}, and strengthen it",
            )
