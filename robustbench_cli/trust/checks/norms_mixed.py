"""Do equal numbers of different norms stand side by side?

An epsilon of 0.3 in Linf and in L2 have nothing in common but the digits: on 28x28 images the first
ball holds perturbations 28 times as long. Warns where half of the epsilons of two norms are the
same numbers, as in tables that set BoundaryAttack (L2) beside FGSM (Linf).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from robustbench_cli.trust.check import Check, Evidence, Finding


@dataclass(kw_only=True)
class NormsMixed(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        grids: dict[str, set[Fraction]] = {}
        for e in evidence.evaluations:
            if evidence.shows(e):
                grids.setdefault(e.norm, set()).update(eps.value for eps in e.epsilons if eps.value)
        for first, second in combinations(sorted(grids), 2):
            both = grids[first] & grids[second]
            if both and 2 * len(both) >= min(len(grids[first]), len(grids[second])):
                yield self.found(
                    "warning",
                    f"{first} and {second} at the same {len(both)} epsilons: equal numbers of two "
                    "norms are no equal strength, and no accuracies to compare",
                    f"compare within one norm, and give {second} a range of its own",
                )
            else:
                yield self.found("pass", f"{first} and {second} have epsilons of their own")
