"""Did every adversarial that the attack claimed pass verification?

What is not finite, outside [0, 1] or the ball, or not misclassified when the original network is
asked again is not counted. That is safe, and a sign of something: a randomised network, an answer
that depends on the batch, an attack with a mistake. Warns where there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from robustbench_cli.trust.check import Check, Evidence, Finding


@dataclass(kw_only=True)
class RejectedAdversarials(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for evaluation in evidence.evaluations:
            if "rejected" not in evaluation.record:
                continue
            entries = evaluation.record["rejected"]
            if entries:
                kinds = Counter(entry["reason"].rpartition(":")[0] for entry in entries)
                kind, count = kinds.most_common(1)[0]
                first = next(e for e in entries if e["reason"].rpartition(":")[0] == kind)
                yield self.found(
                    "warning",
                    f"{evaluation.attack}: {len(entries)} adversarials did not pass verification "
                    f"and do not count; {count} like that of sample {first['index']}: "
                    f"{first['reason']}",
                    "see `rejected` in the record (attacks/*.json)",
                    of=[evaluation],
                )
            else:
                yield self.found(
                    "pass", f"every adversarial of {evaluation.attack} passed", of=[evaluation]
                )
