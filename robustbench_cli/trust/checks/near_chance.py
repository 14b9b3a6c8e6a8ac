"""Does the network classify at all? Accuracy near chance, or one class for everything, says no.

Near: below 15 % for ten classes, half as much again as chance where there are more; for two, where
that would be much, 52.8 %.
The usual causes: other data or labels than it was trained on, a wrong normalisation, a training
that collapsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.statistics.intervals import near_chance
from robustbench_cli.trust.check import About, Check, Evidence, Finding


@dataclass(kw_only=True)
class NearChance(Check):
    about: ClassVar[About] = "network"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        classes = len(evidence.facts.get("classes", ()))
        if not evidence.evaluations or classes < 2:
            return
        largest = max(evidence.evaluations, key=lambda e: e.n)
        share, chance = largest.clean_accuracy, 1 / classes
        remedy = "check --data, --normalise and the training (history.csv)"
        if largest.tally.answers == 1 and largest.n >= 2 * classes:
            yield self.found("failure", "the network answers one class to every image", remedy)
        elif near_chance(round(share * largest.n), largest.n, classes):
            yield self.found(
                "failure", f"clean accuracy {share:.1%} is near chance ({chance:.1%})", remedy
            )
        else:
            yield self.found("pass", f"clean accuracy {share:.1%}, chance {chance:.1%}")
