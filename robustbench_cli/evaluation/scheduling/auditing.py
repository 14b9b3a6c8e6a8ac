"""A few samples attacked at every epsilon independently: does the table say the same of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import gt, ne
from typing import Any

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.recording.outcomes import Outcomes


def audit_size(schedule: str, samples: int, wanted: int | None = None) -> int:
    """How many samples are attacked at every epsilon as if there were no other.

    By default a twentieth, at least 10; with bisection, which saves most of the work that an audit
    does, one in 200, at least 3. From some hundred samples on that costs under a tenth. Where the
    audit decides whether bisection may stand, one in 40, at least 10: a third of the work.
    """
    if schedule not in _AUDITS:
        return 0
    share, least = _AUDITS[schedule]
    return min(samples, max(samples // share, least) if wanted is None else wanted)


_AUDITS = {"ascending": (20, 10), "bisect": (200, 3), "auto": (40, 10)}


def contradicted(entry: Mapping[str, Any]) -> str:
    """Why what was inferred may not stand; empty where it may.

    Two plain runs, which start at other points, differ in one verdict of 200 or so, in either
    direction; more than one of 50 is no accident.
    """
    audit = entry.get("audit", {"verdicts": 0, "epsilons": ()})
    better, verdicts = sum(int(e["better"]) for e in audit["epsilons"]), audit["verdicts"]
    if better * 50 <= verdicts:
        return ""
    return (
        f"bisection called too much withstood ({better} of {verdicts} audited verdicts), so every "
        "sample was attacked from the smallest epsilon up"
    )


def draw_audit(size: int, samples: int, seed: int) -> np.ndarray:
    """The audited samples, ascending; a function of `seed`."""
    return np.sort(np.random.default_rng([seed, 3]).choice(samples, size, replace=False))


def audit_entry(
    found: Sequence[Outcomes], grid: Sequence[Eps], rows: pd.DataFrame
) -> dict[str, Any]:
    """``audit`` for the record; nothing where nothing was audited.

    Of n `samples`, at each epsilon: `accuracy`, raw, when every epsilon is attacked independently;
    `table`, the accuracy of the same samples in the rows; `right`, the raw verdicts as digits in
    the order of `samples`, 1 where it withstood; `disagreements`, how many verdicts differ, and
    `better`, in how many of them the rows say that it withstood.
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
                "better": sum(map(gt, shown, right)),
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
    if record["identity"]["schedule"] == "auto":  # the audit found next to nothing
        return []
    return [
        f"most verdicts are inferred; {audit['disagreements']} of {audit['verdicts']} differ on "
        f"{audit['n']} samples that were attacked at every epsilon"
    ]
