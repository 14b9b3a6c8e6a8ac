"""A few samples attacked at every epsilon independently: does the table say the same of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import ne
from typing import Any

import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.recording.outcomes import Findings


def audit_entry(
    found: Sequence[Findings], grid: Sequence[Eps], rows: pd.DataFrame
) -> dict[str, Any]:
    """``audit`` for the record; nothing where nothing was audited.

    Of n `samples`, at each epsilon: `accuracy`, raw, when every epsilon is attacked independently;
    `table`, the accuracy of the same samples in the rows; `right`, the raw verdicts as digits in
    the order of `samples`, 1 where it withstood; `disagreements`, how many verdicts differ.
    """
    raw = {index: right for part in found for index, right in part.audit.items()}
    if not raw:
        return {}
    samples = sorted(raw)
    table = rows.assign(right=rows["prediction"] == rows["label"])
    wide = table.pivot(index="index", columns="eps", values="right").loc[samples]
    entries: list[dict[str, Any]] = []
    for row, eps in enumerate(grid):
        right = [raw[index][row] for index in samples]
        shown: list[bool] = [bool(value) for value in wide[eps.text]]
        entries.append(
            {
                "eps": eps.text,
                "accuracy": sum(right) / len(samples),
                "table": sum(shown) / len(samples),
                "disagreements": sum(map(ne, right, shown)),
                "right": "".join(str(int(r)) for r in right),
            }
        )
    total = sum(int(entry["disagreements"]) for entry in entries)
    return {
        "audit": {
            "n": len(samples),
            "verdicts": len(samples) * len(grid),
            "disagreements": total,
            "samples": samples,
            "epsilons": entries,
        }
    }


def audit_notes(record: Mapping[str, Any]) -> list[str]:
    """What a reader of inferred verdicts must know."""
    audit = record.get("audit")
    if not audit or record["schedule"] != "bisect":
        return []
    return [
        f"most verdicts are inferred; {audit['disagreements']} of {audit['verdicts']} differ on "
        f"{audit['n']} samples that were attacked at every epsilon"
    ]
