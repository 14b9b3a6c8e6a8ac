"""Which jobs take the same memory of a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_cli.errors import RobustmixError
from robustbench_cli.runs.run import Run

if TYPE_CHECKING:
    from .job import Where

_QUARTER = 0.25
"""Batches of an evaluation are alike from the first to the last; a training says so itself."""


@dataclass(frozen=True)
class Kind:
    """Jobs of one kind take the same memory of a GPU."""

    alike: tuple[str, ...]
    whole: float = field(default=_QUARTER, compare=False)
    """After this share of its work, a job has done everything once."""


def kind_of(where: Where, *alike: object, whole: float = _QUARTER) -> Kind | None:
    """The kind that `alike` decides; None where no GPU is meant, or a certain one."""
    if where.device not in ("auto", "cuda"):
        return None
    return Kind(tuple(map(repr, alike)), whole)


def network(run: Path) -> tuple[str, ...]:
    """What is to be known of a run's network; its path, where the run cannot be read."""
    try:
        config = Run.open(run).config
    except RobustmixError:
        return (str(run),)
    return tuple(str(config.get(key)) for key in ("data", "model", "method"))
