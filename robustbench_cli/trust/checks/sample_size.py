"""Are there enough samples for the digits that are printed?

Of fewer than 1,000 images the accuracy is uncertain by three points and more. Warns where only the
first part of a test set was attacked and that part is smaller; a whole test set is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.statistics.intervals import wilson
from robustbench_cli.trust.check import Check, Evidence, Finding

ENOUGH = 1000


@dataclass(kw_only=True)
class SampleSize(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        known = [e for e in evidence.evaluations if "truncated" in e.record and evidence.shows(e)]
        if not known:
            return
        small = [e for e in known if e.record["truncated"] and e.n < ENOUGH]
        if small:
            least = min(small, key=lambda e: e.n)
            low, high = wilson(least.n // 2, least.n)
            yield self.found(
                "warning",
                f"{least.attack}: the first {least.n} images only, so accuracy is uncertain by "
                f"up to ±{100 * (high - low) / 2:.1f} points",
                "leave --samples out, or type --samples 1000",
            )
        else:
            yield self.found("pass", "enough samples, or the whole test set")
