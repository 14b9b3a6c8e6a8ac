"""Is the accuracy that training ended with reproduced?

Validation images and test images come from one source. A clean accuracy more than 2 points below
the validation accuracy, by more than chance (p < 0.001), means other data, another normalisation or
other weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding
from robustbench_cli.trust.comparing import view


@dataclass(kw_only=True)
class StoredAccuracy(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        plain = [e for e in evidence.evaluations if view(e) in ((None, None), ("deployed", None))]
        stored, held = evidence.validation, _held_out(evidence)
        if stored is None or not plain or not held:
            return
        largest = max(plain, key=lambda e: e.n)
        clean, gap = largest.clean_accuracy, stored - largest.clean_accuracy
        pooled = (stored * held + clean * largest.n) / (held + largest.n)
        spread = (pooled * (1 - pooled) * (1 / held + 1 / largest.n)) ** 0.5
        if gap > 0.02 and gap > 3.1 * spread:
            yield self.found(
                "warning",
                f"clean accuracy {clean:.1%}, where training ended with {stored:.1%} on held-out "
                "images",
                "check that --data and the weights are those of the training",
            )
        else:
            yield self.found("pass", f"clean accuracy {clean:.1%}, held-out {stored:.1%}")


def _held_out(evidence: Evidence) -> float:
    """About how many images the validation accuracy is of."""
    config, size = evidence.config, float(evidence.facts.get("train_size") or 0)
    share = float(config.get("validation") or 0)
    whole = size / (float(config.get("train_fraction") or 1) * (1 - min(share, 0.99)))
    return min(whole * share, 5000)
