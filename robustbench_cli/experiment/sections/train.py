"""``[train]``: a grid of settings, seeds innermost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import product
from typing import Any, get_type_hints

from robustbench_cli.errors import UsageError
from robustbench_cli.experiment import values
from robustbench_cli.jobs import Where
from robustbench_cli.jobs.starting import beginning
from robustbench_cli.spec import expand_all, refuse_unknown
from robustbench_cli.training.config import TrainConfig

_MOST_SEEDS = 10_000  # more is a slip of the keyboard
_RESOLVED = {"method_resolved"}
_SPECS = {"data", "model", "method", "stop_on"}


def seed_count(given: Any, title: str) -> int:
    """
    Raises:
        UsageError: no number that can be meant.
    """
    seeds: int = values.typed(given, int, f"{title} seeds")
    if not 1 <= seeds <= _MOST_SEEDS:
        raise UsageError(f"{title} seeds {seeds}: expected 1 to {_MOST_SEEDS}")
    return seeds


def read(section: Mapping[str, Any], where: Where) -> list[TrainConfig]:
    """The grid of a [train] section, seeds innermost; networks to begin with lie at `where`."""
    known = {f.name.replace("_", "-"): f.name for f in fields(TrainConfig)}
    known = {k: v for k, v in known.items() if v not in _RESOLVED}
    refuse_unknown(section, {*known, "seeds"}, "[train]")
    hints = get_type_hints(TrainConfig)
    axes: dict[str, list[Any]] = {}
    for key, given in section.items():
        if key != "seeds":
            name = known[key]
            if given == []:
                raise UsageError(f"[train] {key} is an empty list; name at least one")
            listed = [values.typed(v, hints[name], f"[train] {key}") for v in values.listed(given)]
            axes[name] = expand_all(listed) if name in _SPECS else listed
    if "seeds" in section:
        axes["seed"] = [*axes.get("seed", []), *range(seed_count(section["seeds"], "[train]"))]
    axes["seed"] = list(dict.fromkeys(axes.pop("seed", [0])))  # last: innermost
    grid = []
    for chosen in product(*axes.values()):
        given = dict(zip(axes, chosen, strict=True))
        begins = beginning(given.get("model"), given.get("init"), where.runs)
        grid.append(TrainConfig(**{**given, **begins._asdict()}).resolve(trusted=False))
    return list(dict.fromkeys(grid))  # two spellings of one setting are one run
