"""Could every sample be attacked?

A sample whose attack could not start counts as not broken, never as left out. Warns where there is
one, and fails above 5 %: then accuracy says more of the attack than of the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding


@dataclass(kw_only=True)
class FailedSamples(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation in evidence.evaluations:
            if "failed" not in evaluation.record:
                continue
            entries = evaluation.record["failed"]
            failed = {entry["index"] for entry in entries}
            if failed:
                yield self.found(
                    "failure" if len(failed) > 0.05 * evaluation.n else "warning",
                    f"{evaluation.attack}: {len(failed)} of {evaluation.n} samples could not be "
                    f"attacked and count as not broken (sample {entries[0]['index']}: "
                    f"{entries[0]['reason']})",
                    f"read the bound that another attack gives: -a {evaluation.norm}-pgd",
                    of=[evaluation],
                )
            else:
                yield self.found(
                    "pass", f"{evaluation.attack} could try every sample", of=[evaluation]
                )
