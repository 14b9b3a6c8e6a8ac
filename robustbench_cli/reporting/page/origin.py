"""Where the numbers come from: settings, versions, and the commands that make them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.numbers.paths import short_paths_of
from robustbench_cli.reporting.tables.cells import NONE
from robustbench_cli.runs.run import Run

_SILENT = ("method_resolved",)
_ADOPTED = "checkpoint"
_OPTIONS = (("seed", "--attack-seed"), ("defence", "--defence"), ("split", "--split"))


def settings(runs: Sequence[Run]) -> list[Section]:
    """What all runs share, and a row for each run with what differs."""
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    short = short_paths_of(runs)
    texts = {key: [short(_text(run.config.get(key))) for run in runs] for key in keys}
    same = [key for key in keys if len(set(texts[key])) == 1]
    differ = [key for key in keys if key not in same and key not in _SILENT]
    shared = tuple((_option(key), texts[key][0]) for key in same)
    header = ("run", *map(_option, differ), "made")
    rows = tuple(
        (run.name, *(texts[key][i] for key in differ), _text(run.record.get("created")))
        for i, run in enumerate(runs)
    )
    found = [Section("The same in all runs", ("setting", "value"), shared)] if shared else []
    return [*found, Section("Runs", header, rows)]


def versions(runs: Sequence[Run]) -> Section:
    """Everything that records name, of training and of attacks."""
    seen: dict[str, dict[str, None]] = {}
    records = [r for run in runs for r in (run.record, *(e.record for e in run.evaluations()))]
    for record in records:
        listed = record.get("versions")
        for name, value in listed.items() if isinstance(listed, Mapping) else ():
            seen.setdefault(str(name), {})[str(value)] = None
        for key in ("commit", "device"):
            if record.get(key):
                seen.setdefault(key, {})[str(record[key])] = None
    rows = tuple((name, ", ".join(values)) for name, values in seen.items())
    return Section("Versions", ("of", "value"), rows)


def commands(runs: Sequence[Run]) -> list[str]:
    """To train and attack again; networks of somebody else are only attacked.

    Runs that differ in the seed are one command, and so are attacks with the same settings. Files
    of data are named as if they were at hand.
    """
    short = short_paths_of(runs)
    alike: dict[tuple[str, ...], list[Any]] = {}
    for run in runs:
        if _ADOPTED not in run.config and "epochs" in run.config:
            config = {key: short(v) if isinstance(v, str) else v for key, v in run.config.items()}
            alike.setdefault(_train(config), []).append(run.config.get("seed"))
    made = []
    for trained, seeds in alike.items():
        chosen = [w for seed in seeds if seed is not None for w in ("--seed", str(seed))]
        made.append(shlex.join([*trained, *chosen]))
    attacks: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        for evaluation in run.evaluations():
            identity = evaluation.record.get("identity", {})
            words = ["-a", evaluation.attack, "-e", ",".join(map(str, evaluation.epsilons))]
            words += ["--samples", str(evaluation.n)]
            for key, option in _OPTIONS:
                words += [option, str(identity[key])] if identity.get(key) else []
            words += ["--view", "bare"] if identity.get("view") == "bare" else []
            named = attacks.setdefault(tuple(words), [])
            named += [str(run.path)] * (str(run.path) not in named)
    made += [shlex.join(["robustmix", "attack", *names, *w]) for w, names in attacks.items()]
    return made


def _train(config: Mapping[str, Any]) -> tuple[str, ...]:
    """All settings but the seed, as they are typed."""
    words = ["robustmix", "train"]
    for key, value in config.items():
        option = f"--{_option(key)}"
        if key in (*_SILENT, "seed") or value is None or value == "":
            continue
        if key == "compile":
            words += [option] * bool(value)
        elif isinstance(value, bool):
            words.append(option if value else f"--no-{_option(key)}")
        else:
            words += [option, str(value)]
    return tuple(words)


def _option(key: str) -> str:
    return key.replace("_", "-")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NONE if value is None or value == "" else str(value)
