"""Does an attack without gradients break more than those with them? Then gradients are masked.

Compares attacks of one norm at the same epsilon on the same samples (sign test, p < 0.01); what
other networks' adversarials break counts as such an attack. Gradient attacks of fewer than ten
steps are held against noise alone: others may well beat them by what they spend. Fails too where
noise or a random search breaks samples that a gradient attack left, by more than half a point of
accuracy over what the same attack breaks of them when it is twice as strong: that much would only
be haste.
Athalye, Carlini & Wagner, ICML 2018, arXiv 1802.00420.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding, blind
from robustbench_cli.trust.comparing import blindly, hasty, lead, shared, twice_as_strong


@dataclass(kw_only=True)
class BlackBoxBeatsWhiteBox(Check):
    about: ClassVar[About] = "gradients"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        known = [e for e in evidence.evaluations if "access" in e.record]
        black = [e for e in known if e.record["access"] != "gradient"]
        white = [e for e in known if e.record["access"] == "gradient"]
        yield from self._rivals(evidence)
        for other in [*black, *evidence.transfers]:
            # against the best of the white boxes: a weak one beside a strong one is no sign
            leads: dict[str, float] = {}
            about = [other]
            held: set[str] = set()
            for one, best, eps in shared([other], white):
                about.append(best)
                leads[eps.text] = min(leads.get(eps.text, 1.0), lead(best, one, eps))
                held |= {eps.text} if blindly(other) or not hasty(best) else set()
            if not held:
                continue
            most, where = max((leads[where], where) for where in held)
            source = other.record.get("source")
            name = f"{other.attack} from {source}" if source else other.attack
            if not most:
                yield self.found("pass", f"{name} breaks no more than gradients do", of=about)
                continue
            yield self.found(
                "failure",
                f"{name} breaks {most:.1%} more than every gradient attack at eps {where}: "
                "gradients are masked",
                f"report {name}, and strengthen it",
                of=about,
            )

    def _rivals(self, evidence: Evidence) -> Iterator[Finding]:
        """What was tried beside each gradient attack."""
        for evaluation, seen in evidence.signals("rivals"):
            how, fell = max(((k, seen.get(k, 0)) for k in ("noise", "search")), key=lambda f: f[1])
            again = twice_as_strong(evaluation, seen["tried"])
            if (fell - again) / seen["n"] > 0.005:
                what = {"noise": "noise", "search": "a random search"}[how]
                yield self.found(
                    "failure",
                    f"{what} breaks {fell} of {seen['tried']} that {evaluation.attack} left "
                    f"at eps {seen['eps']}: gradients are masked",
                    f"attack without gradients: {blind(evaluation.norm)}",
                    of=[evaluation],
                )
            else:
                text = f"noise breaks nothing that {evaluation.attack} left"
                yield self.found("pass", text, of=[evaluation])
