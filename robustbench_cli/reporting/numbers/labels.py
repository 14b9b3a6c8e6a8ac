"""Which runs belong together (the same but for the seed), and a short, unique name for each group.

A group is called what `by` names, its method as a rule. Data set and model join where they differ
among the groups shown; any other setting joins only where two groups would share a name. Of the way
to a file of data, a name has no more than tells it from others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import shorten

from .paths import short_paths_of

_IDENTITY = ("data", "model", "method")
_SILENT = ("seed", "method_resolved")  # follows from the other settings, or never tells groups


def group_of(run: Run, by: str = "method") -> str:
    """The same for runs that differ in nothing but the seed; a run without a seed stands alone."""
    if by == "run" or run.config.get("seed") is None:
        return str(run.path.resolve())
    kept = {k: v for k, v in run.config.items() if k != "seed" or by == "seed"}
    return json.dumps(kept, sort_keys=True, default=str)


def label_groups(runs: Iterable[Run], by: str = "method") -> dict[str, str]:
    """Group -> label, in the order of the runs.

    Raises:
        UsageError: no run has a setting called `by`.
    """
    groups: dict[str, Run] = {}
    for run in runs:
        groups.setdefault(group_of(run, by), run)
    key = by.replace("-", "_")
    known = sorted({k for r in groups.values() for k in r.config} - {"method_resolved"})
    if groups and key != "run" and key not in known:
        listing = ", ".join(["run", *known]).replace("_", "-")
        raise UsageError(f"no run has a setting {by!r} to tell runs by; expected one of: {listing}")
    labels = {group: _base(run, key) for group, run in groups.items()}
    others = [k for k in known if k not in (key, *_IDENTITY, *_SILENT)]
    for other in [] if key == "run" else [*_IDENTITY, *others]:
        needed = other in _IDENTITY or len(set(labels.values())) < len(labels)
        if other != key and needed and len({_text(r, other) for r in groups.values()}) > 1:
            labels = _joined(labels, groups, other)
    if len(set(labels.values())) < len(labels):
        labels = {g: f"{label}, {groups[g].path}" for g, label in labels.items()}
    short = short_paths_of(groups.values())
    return {group: short(label) for group, label in labels.items()}


def differences(runs: Iterable[Run], by: str = "method") -> list[str]:
    """Settings in which groups on the same data and model differ, beside `by` and the method."""
    groups = list({group_of(run, by): run for run in runs}.values())
    ignored = {*_IDENTITY, *_SILENT, by.replace("-", "_"), "checkpoint"}
    first: dict[tuple[Any, Any, str], tuple[int, int, Any]] = {}
    found: dict[tuple[Any, Any, str], tuple[int, int, int, str]] = {}
    for i, run in enumerate(groups):
        for place, (key, value) in enumerate(run.config.items()):
            alike = (run.config.get("data"), run.config.get("model"), key)
            if key not in ignored:
                j, at, known = first.setdefault(alike, (i, place, value))
                if value != known:
                    found.setdefault(alike, (j, i, at, key))
    return list(dict.fromkeys(key for *_, key in sorted(found.values())))


def _base(run: Run, key: str) -> str:
    if key == "run":
        return run.name
    if key == "method" and run.config.get("checkpoint"):  # nobody knows how it was trained
        return str(run.config["checkpoint"])
    return _text(run, key) if key in _IDENTITY else f"{key.replace('_', '-')}={_text(run, key)}"


def _joined(labels: dict[str, str], groups: dict[str, Run], key: str) -> dict[str, str]:
    """`key` added to the labels; a setting only where labels would be shared and it tells them."""
    told_by: dict[str, set[str]] = {}
    for group, label in labels.items():
        told_by.setdefault(label, set()).add(_text(groups[group], key))
    result = {}
    for group, label in labels.items():
        value = _text(groups[group], key)
        if key == "method" and groups[group].config.get("checkpoint") == label:
            result[group] = label
        elif key in _IDENTITY:
            result[group] = f"{label}, {value}"
        else:
            told = len(told_by[label]) > 1 and key in groups[group].config
            result[group] = f"{label}, {key.replace('_', '-')}={value}" if told else label
    return result


def _text(run: Run, key: str) -> str:
    value: Any = run.config.get(key)
    return shorten(value)
