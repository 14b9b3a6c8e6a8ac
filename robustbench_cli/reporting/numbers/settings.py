"""Settings as the axes of a figure: ``label-noise``, or ``info-mixup:p`` inside of a spec.

Specs are read as text, so that nothing is imported. A parameter that is not written has its
default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import defaults, names, number, read, split

from .labels import group_of, label_groups

_SPECS = {"method": "methods", "model": "models", "data": "datasets"}
_SILENT = ("seed", "method_resolved")

Value = float | str


@dataclass(frozen=True)
class Setting:
    """One of the training's own, or a parameter of the method, the network or the data set."""

    name: str

    @classmethod
    def of(cls, text: str, runs: Sequence[Run]) -> Setting:
        """As a user writes it.

        Raises:
            UsageError: no run has it; the message lists those in which the runs differ.
        """
        setting = cls(text.strip().replace("_", "-"))
        if all(setting.value(run) is None for run in runs):
            listed = ", ".join(differing(runs)) or "none"
            raise UsageError(
                f"no run has a setting {text!r}; numbers in which these runs differ: {listed}"
            )
        return setting

    def value(self, run: Run) -> Value | None:
        """Its number or word in a run; None where the run has no such setting."""
        part, _, key = self.name.partition(":")
        if not key:
            return _plain(run.config.get(self.name.replace("-", "_")))
        for spec in _parts(run):
            if read(spec)[0] == part:
                given = read(spec)[1]
                return _plain(given[key] if key in given else _default(part, key))
        return None

    def number(self, run: Run) -> float | None:
        value = self.value(run)
        return value if isinstance(value, float) else None

    def without(self, run: Run) -> Run:
        """The same run, had nobody said what the setting is."""
        part, _, key = self.name.partition(":")
        config = dict(run.config)
        if key:
            for where in [where for where in (*_SPECS, "method_resolved") if config.get(where)]:
                parts = [
                    _without(s, key) if read(s)[0] == part else s for s in split(config[where])
                ]
                config[where] = "+".join(parts)
        else:
            config.pop(self.name.replace("-", "_"), None)
            if self.name == "method":
                config.pop("method_resolved", None)
        return replace(run, record={**run.record, "config": config})


def differing(runs: Sequence[Run]) -> list[str]:
    """The settings whose numbers differ between runs; parameters only where one is written."""
    plain = {k for run in runs for k in run.config if k not in (*_SILENT, *_SPECS)}
    inside = {
        f"{read(spec)[0]}:{key}" for run in runs for spec in _parts(run) for key in read(spec)[1]
    }
    named = [Setting(name.replace("_", "-")) for name in (*sorted(plain), *sorted(inside))]
    return [s.name for s in named if len({s.number(run) for run in runs} - {None}) > 1]


def _parts(run: Run) -> list[str]:
    """Every spec of a run; of methods as they were meant, after the data set decided."""
    methods = run.config.get("method_resolved") or run.config["method"]
    return [*split(methods), run.config["model"], run.config["data"]]


def _without(spec: str, key: str) -> str:
    name, given = read(spec)
    kept = [f"{k}={v}" if k else v for k, v in given.items() if k != key]
    return ":".join([name, ",".join(kept)] if kept else [name])


def _default(name: str, key: str) -> Any:
    for room in _SPECS.values():
        if name in names(room):
            return defaults(room, name).get(key)
    return None


def _plain(value: Any) -> Value | None:
    """A number where it is one; words, also those for true and false, stay words."""
    if value is None or value in ("none", ""):
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(number(str(value)))
    except UsageError:
        return str(value).lower() if isinstance(value, bool) else str(value)


def labels_without(runs: Sequence[Run], by: str, settings: Sequence[Setting]) -> dict[str, str]:
    """Group (see `labels.group_of`) -> what groups are called that differ in `settings` only.

    Runs without a seed or without one of the settings are left out.

    Raises:
        UsageError: groups that are single runs.
    """
    if by == "run":
        raise UsageError("--by run makes each run a group of its own; leave it out here")
    stripped: dict[str, Run] = {}
    for run in runs:
        if all(setting.value(run) is not None for setting in settings):
            bare = run
            for setting in settings:
                bare = setting.without(bare)
            stripped[group_of(run, by)] = bare
    taken = {setting.name.replace("-", "_") for setting in settings}
    name = next(
        key for key in (by.replace("-", "_"), "method", "model", "data") if key not in taken
    )
    labels = label_groups(stripped.values(), name)
    return {group: labels[group_of(bare, name)] for group, bare in stripped.items()}
