"""What training and attacks took, by group and machine; seconds of two machines never meet.

A machine is what a record says of it: the description of its device, and every version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robustbench_cli.errors import RunError
from robustbench_cli.runs.run import Run

from .frame import Attacks, select
from .labels import group_of, label_groups

UNKNOWN = "a machine that was not recorded"


@dataclass(frozen=True)
class Taken:
    """One number of one run: seconds of an epoch, or seconds or passes of an image.

    `of`: ``training``, or the attack and how many epsilons it had. `counted`: passes, which are the
    same on every machine.
    """

    of: str
    label: str
    machine: str
    value: float
    counted: bool = False


def collect_timing(runs: Sequence[Run], by: str = "method", attack: Attacks = None) -> list[Taken]:
    """Seconds per epoch from history.csv; seconds and passes per image of every evaluation.

    Raises:
        RunError: no run recorded any.
    """
    labels = label_groups(runs, by)
    chosen = select({e.attack for run in runs for e in run.evaluations()}, attack)
    machines = _names(
        [run.record for run in runs] + [e.record for r in runs for e in r.evaluations()]
    )
    found: list[Taken] = []
    for run in runs:
        label = labels[group_of(run, by)]
        if (seconds := _epoch(run)) is not None:
            found.append(Taken("training", label, machines[_machine(run.record)], seconds))
        for evaluation in run.evaluations():
            record, count = evaluation.record, len(evaluation.epsilons)
            cost = record.get("cost")
            if evaluation.attack not in chosen or not isinstance(cost, Mapping):
                continue
            behind = record.get("identity", {}).get("defence")
            name = f"{label} + {behind}" if behind else label
            of, where = f"{evaluation.attack}, {count} ε", machines[_machine(record)]
            found.append(Taken(of, name, where, float(cost["seconds"]) / evaluation.n))
            passes = float(cost["forwards"]) + float(cost["backwards"])
            found.append(Taken(of, name, where, passes, counted=True))
    if not found:
        raise RunError("no times in these runs; train one: robustmix train")
    return found


def training_seconds(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Machine -> run -> seconds of all its epochs; runs that were not trained here are left out."""
    machines = _names([run.record for run in runs])
    found: dict[str, dict[str, float]] = {}
    for run in runs:
        seconds = _epoch(run)
        if seconds is not None:
            total = seconds * len(run.history())
            found.setdefault(machines[_machine(run.record)], {})[run.name] = total
    return found


def relative(taken: Sequence[Taken], against: str) -> list[Taken]:
    """As multiples of the mean of `against` on the same machine; those without it are left out."""
    means: dict[tuple[str, bool, str], list[float]] = {}
    for each in taken:
        if each.label == against:
            means.setdefault((each.of, each.counted, each.machine), []).append(each.value)
    found = []
    for each in taken:
        base = means.get((each.of, each.counted, each.machine), ())
        if base and sum(base):
            value = each.value * len(base) / sum(base)
            found.append(Taken(each.of, each.label, each.machine, value, each.counted))
    return found


def _epoch(run: Run) -> float | None:
    """Mean seconds of an epoch; None for a network that was not trained here."""
    try:
        rows = run.history()
    except RunError:
        return None
    return float(rows["seconds"].mean()) if "seconds" in rows and len(rows) else None


Machine = tuple[str, tuple[tuple[str, str], ...]]


def _machine(record: Mapping[str, Any]) -> Machine:
    versions = record.get("versions")
    listed = versions.items() if isinstance(versions, Mapping) else ()
    return str(record.get("device") or UNKNOWN), tuple(sorted((k, str(v)) for k, v in listed))


def _names(records: Sequence[Mapping[str, Any]]) -> dict[Machine, str]:
    """A name for each: its device, and those versions in which machines differ."""
    machines = list(dict.fromkeys(_machine(record) for record in records))
    versions = [set(listed) for _, listed in machines]
    differ = set().union(*versions) - versions[0].intersection(*versions)
    return {
        machine: ", ".join([machine[0], *(f"{k} {v}" for k, v in machine[1] if (k, v) in differ)])
        for machine in machines
    }
