"""What training and attacks took: seconds on the machine that they ran on, and counted passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.numbers.labels import group_of, label_groups
from robustbench_cli.reporting.tables.cells import NONE
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run

_TRAINING = ("run", "epochs", "seconds", "seconds per epoch", "device")
_ATTACKS = (
    "attack",
    "runs",
    "ε",
    "seconds",
    "ms per image",
    "forwards per image",
    "backwards per image",
    "device",
)


def sections(runs: Sequence[Run], by: str) -> list[Section]:
    """Training by run; attacks by group, means over its runs."""
    trained = tuple(row for run in runs if (row := _training(run)))
    attacked = tuple(_attacks(runs, by))
    found = [Section("Training", _TRAINING, trained)] if trained else []
    header = (by.replace("_", "-"), *_ATTACKS)
    return [*found, *([Section("Attacks, means over runs", header, attacked)] if attacked else [])]


def _training(run: Run) -> tuple[str, ...] | None:
    """None for a network that was not trained here."""
    try:
        rows = run.history()
    except RunError:
        return None
    if "seconds" not in rows or not len(rows):
        return None
    total = float(rows["seconds"].sum())
    per = total / len(rows)
    return run.name, str(len(rows)), f"{total:.4g}", f"{per:.3g}", _device(run.record)


def _attacks(runs: Sequence[Run], by: str) -> Iterator[tuple[str, ...]]:
    labels = label_groups(runs, by)
    alike: dict[tuple[str, str, int], list[Evaluation]] = {}
    for run in runs:
        for evaluation in run.evaluations():
            defence = evaluation.record.get("identity", {}).get("defence")
            label = labels[group_of(run, by)] + (f" + {defence}" if defence else "")
            if isinstance(evaluation.record.get("cost"), Mapping):
                key = (label, evaluation.attack, len(evaluation.epsilons))
                alike.setdefault(key, []).append(evaluation)
    for (label, attack, epsilons), found in alike.items():
        costs = [evaluation.record["cost"] for evaluation in found]
        seconds = [float(cost["seconds"]) for cost in costs]
        each = [1000 * s / e.n for s, e in zip(seconds, found, strict=True)]
        forwards, backwards = ([float(c[k]) for c in costs] for k in ("forwards", "backwards"))
        devices = list(dict.fromkeys(_device(evaluation.record) for evaluation in found))
        numbers = [f"{sum(v) / len(v):.4g}" for v in (seconds, each, forwards, backwards)]
        yield label, attack, str(len(found)), str(epsilons), *numbers, "; ".join(devices)


def _device(record: Mapping[str, object]) -> str:
    return str(record.get("device") or NONE)
