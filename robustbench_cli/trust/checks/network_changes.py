"""Does the network stay what it is while it is attacked?

Weights, buffers (batch norm statistics) and eval mode must not change by being asked. Buffers that
do are put back after each piece of work, but the answers in between came from another network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding


@dataclass(kw_only=True)
class NetworkChanges(Check):
    about: ClassVar[About] = "network"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        changed = evidence.worst("forward-pass", "changed")
        training = evidence.worst("forward-pass", "training")
        notes = [n for e in evidence.evaluations for n in e.record.get("notes", ())]
        noted = [note for note in notes if note.startswith("buffers changed")]
        remedy = "let forward() leave weights, buffers and train()/eval() alone in eval mode"
        if noted or (changed and changed["changed"]):
            count = changed["changed"] if changed else 0
            what = noted[0] if noted else f"{count} weights or buffers change in a forward pass"
            yield self.found("failure", what, remedy)
        elif training and training["training"]:
            yield self.found(
                "failure", f"{training['training']} modules stay in training mode", remedy
            )
        elif changed:
            yield self.found("pass", "the network stays what it is")
