"""What a result says of itself: identity, settings, cost, and what went wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli import device as devices
from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.isolation import frozen
from robustbench_cli.evaluation.network import Clean
from robustbench_cli.evaluation.plan import Chunk, Plan
from robustbench_cli.evaluation.recording.outcomes import COSTS
from robustbench_cli.evaluation.scheduling.auditing import audit_size
from robustbench_cli.evaluation.scheduling.schedules import ScheduleName, effective
from robustbench_cli.evaluation.throughput.fast_path import Crafting
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.parts import CHUNK, Part, Parts
from robustbench_cli.runs.provenance import provenance
from robustbench_cli.runs.tally import reach


def identify(
    attack: Attack,
    epsilons: Iterable[Eps],
    samples: int,
    *,
    seed: int = 0,
    schedule: ScheduleName = "auto",
    audit: int | None = None,
    crafting: Crafting | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All that a result depends on; two with equal identities need not be made twice.

    `audit`: how many samples are attacked independently at every epsilon; None: a few.
    `more`: what only the caller knows, such as the digests of the weights and of the data.
    """
    epsilons = list(epsilons)
    real = effective(attack, schedule, epsilons)
    size = audit_size(real, samples, audit)
    return {
        "attack": str(attack),
        "parameters": attack.settings,
        "epsilons": [str(value) for value in sorted({eps.value for eps in epsilons})],
        "samples": samples,
        "seed": seed,
        "schedule": real,
        "chunk": CHUNK,
        **({"audit": size} if size else {}),
        **({"crafting": how} if (how := str(crafting or "")) else {}),
        **(more or {}),
    }


def open_parts(folder: Path | None, identity: Mapping[str, Any], *clean: Clean) -> Parts:
    """Chunks are reused on the same kind of device, by the same torch, for the same predictions."""
    seen = hashlib.sha256(b"".join(c.prediction.cpu().numpy().tobytes() for c in clean))
    device = clean[0].prediction.device.type
    here = {"device": device, "torch": torch.__version__, "clean": seen.hexdigest()}
    return Parts(folder, {"identity": dict(identity), **here})


def measured(chunk: Chunk, work: Callable[[], Part]) -> Part:
    """What `work` returns, with its cost, and one line for each thing worth knowing."""
    told, before, start = chunk.plan.batches.notes, chunk.asked, perf_counter()
    with frozen(chunk.network) as changed:
        document = work()
    asked = (now - then for now, then in zip(chunk.asked, before, strict=True))
    cost = dict(zip(COSTS, (*asked, perf_counter() - start), strict=True))
    for spent in document.get("earlier", ()):
        cost = {key: value + spent[key] for key, value in cost.items()}
    notes = told.copy()
    told.clear()
    if not all(network.has_gradient for network in chunk.networks):
        notes.append("the network has no gradient at its input; gradient attacks find nothing")
    if changed:
        names = ", ".join(name.removeprefix("predictor.") for name in changed)
        notes.append(f"buffers changed in eval mode and were put back: {names}")
    return {**document, **cost, "notes": notes}


def make_record(
    plan: Plan,
    identity: Mapping[str, Any],
    documents: Sequence[Part],
    spent: Sequence[Part] | None = None,
) -> dict[str, Any]:
    """Everything of a result but its rows, ready for JSON.

    cost: forwards and backwards per sample, and seconds, without the look at the unchanged images;
    of `spent`, where more was done than `documents` tell.
    """
    attack, n = plan.attack, len(plan.images)
    rejected, failed = (
        sorted((entry for d in documents for entry in d[key]), key=lambda e: int(e["index"]))
        for key in ("rejected", "failed")
    )
    totals = {
        key: sum(d[key] for d in spent or documents) for key in ("forwards", "backwards", "seconds")
    }
    lines = [line for d in documents for line in d["notes"]]
    return {
        "kind": "budget" if attack.budget else "minimal",
        "one_step": attack.one_step,
        "access": attack.access,
        "parameters": attack.settings,
        "schedule": identity["schedule"],
        "seed": identity["seed"],
        "n": n,
        "cost": {
            "forwards": totals["forwards"] / n,
            "backwards": totals["backwards"] / n,
            "seconds": round(totals["seconds"], 3),
        },
        "rejected": rejected,
        "failed": failed,
        "notes": [*dict.fromkeys(lines), *_summaries(rejected, failed)],
        "device": devices.describe(plan.images.device),
        **provenance(),
        "identity": dict(identity),
    }


def members_entry(documents: Iterable[Part]) -> dict[str, Any]:
    """``members`` for the record: for each epsilon and member of a union, over all chunks, the
    samples that it tried and broke first, its forwards and backwards in all, and its seconds;
    or nothing."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for new in (entry for document in documents for entry in document["members"]):
        old = entries.setdefault((new["eps"], new["member"]), dict.fromkeys(new, 0))
        entries[new["eps"], new["member"]] = {
            key: value if isinstance(value, str) else old[key] + value for key, value in new.items()
        }
    rounded = [{**entry, "seconds": round(entry["seconds"], 3)} for entry in entries.values()]
    return {"members": rounded} if rounded else {}


def at_target(rows: pd.DataFrame, grid: Sequence[Eps]) -> dict[str, Any]:
    """What a record says of the samples that are taken for the class aimed at; or nothing."""
    if "target" not in rows:
        return {}
    aimed, (_, *reached) = reach(rows, [eps.text for eps in grid])
    counts = zip(grid, reached, strict=True)
    return {"at_target": [{"eps": eps.text, "reached": k, "n": aimed} for eps, k in counts]}


def _summaries(rejected: list[Part], failed: list[Part]) -> list[str]:
    lines = []
    for entries, what in (
        (rejected, "adversarials did not pass verification and do not count"),
        (failed, "samples could not be attacked and count as not broken"),
    ):
        if entries:
            first = entries[0]
            at = f" at eps {first['eps']}" if "eps" in first else ""
            lines.append(f"{len(entries)} {what}; sample {first['index']}{at}: {first['reason']}")
    return lines


def make_rows(
    grid: Sequence[Eps], fixed: Mapping[str, Tensor], varying: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """The samples of an `Evaluation`: one row per epsilon and image, in this order.

    fixed: columns (n,), the same for every epsilon. varying: columns (epsilons, n).
    """
    n = len(fixed["label"])
    columns = {"index": np.tile(np.arange(n), len(grid))}
    columns |= {name: np.tile(values.cpu().numpy(), len(grid)) for name, values in fixed.items()}
    columns["eps"] = np.repeat([eps.text for eps in grid], n)
    columns |= {name: values.reshape(-1) for name, values in varying.items()}
    first = list(Evaluation.COLUMNS)
    return pd.DataFrame({k: columns[k] for k in [*first, *(c for c in columns if c not in first)]})
