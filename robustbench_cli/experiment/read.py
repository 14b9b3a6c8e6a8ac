"""A file becomes an experiment; a section is read in the file of its name."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.jobs import TrainJob, Where
from robustbench_cli.spec import refuse_unknown

from . import values
from .plan import Experiment
from .scale import scaled
from .sections import analyse, attack, report, select, statements, train

_SECTIONS = {
    *("train", "select", "attack", "transfer", "analyse", "analyze", "report"),
    *("published", "claim"),
}
_UNTRAINED = _SECTIONS - {"train", "select", "analyse", "analyze"}
"""What a file may do with networks that it names, and trains none."""


def read_experiment(
    path: Path, where: Where, *, scale: str | None = None, force: bool = False
) -> Experiment:
    """The experiment as it is written, or at one of its scales.

    Raises:
        UsageError: no such file, no TOML, an unknown key, or a spec that makes no sense; the
            message names the section, and the scale that was asked for.
        RunError: somebody else's weights that cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise UsageError(f"cannot read {path}: {e.strerror or e}") from e
    except (ValueError, RecursionError) as e:  # no TOML, no UTF-8, or a number of 5000 digits
        raise UsageError(f"{path} is no TOML: {e}") from e
    try:
        refuse_unknown(document, _SECTIONS | {"scale"}, "the file")
        document = scaled(document, scale)
    except UsageError as e:
        raise UsageError(f"{path}: {e}") from e
    try:
        refuse_unknown(document, _SECTIONS, "the file")
        return _experiment(document, where, force)
    except RobustmixError as e:
        at = f" at [scale.{scale}]" if scale else ""
        raise type(e)(f"{path}{at}: {e}") from e


def _experiment(document: dict[str, Any], where: Where, force: bool) -> Experiment:
    named = [
        *("checkpoint" in section for section in values.tables(document, "attack")),
        *map(attack.is_among_named, values.tables(document, "transfer")),
    ]
    alone = any(named) and all(named) and document.keys() <= _UNTRAINED
    configs = [] if alone else train.read(values.table(document, "train"), where)
    jobs = tuple(TrainJob(config, where, force) for config in configs)
    rest = partial(_on, document, where, force)
    if "select" in document:
        return select.read(values.table(document, "select"), jobs, rest)
    return rest(jobs)


def _on(
    document: dict[str, Any], where: Where, force: bool, jobs: Sequence[TrainJob]
) -> Experiment:
    """The sections behind [train], on the networks that these jobs train."""
    plan, attacks = report.read(values.table(document, "report")), values.tables(document, "attack")
    return Experiment(
        tuple(jobs),
        tuple(attack.attacks(attacks, jobs, where, force)),
        tuple(attack.transfers(values.tables(document, "transfer"), jobs, where, force)),
        plan,
        tuple(
            job
            for name in ("analyse", "analyze")
            for section in values.tables(document, name)
            for job in analyse.read(name, section, jobs, where, force)
        ),
        statements.read(document, plan.by),
        unions=tuple(dict.fromkeys(u for section in attacks for u in attack.unions(section))),
    )
