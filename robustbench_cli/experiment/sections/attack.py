"""``[[attack]]`` and ``[[transfer]]``: attacks on what ``[train]`` trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.experiment import values
from robustbench_cli.jobs import AttackJob, TrainJob, TransferJob, Where
from robustbench_cli.jobs.attack_config import AttackConfig, make_attack_config
from robustbench_cli.spec import build_all
from robustbench_cli.training.method import Method

_ATTACK_ONLY: dict[str, type] = {
    **{"schedule": str, "audit": int, "checks": str, "eight-bit": bool},
    **{"threads": int, "compile": bool, "precision": str},
}
_OPTIONS = {"samples": int, "seed": int, "view": str, "batch-size": int, **_ATTACK_ONLY}
_ATTACK = {"attack", "eps", "eps-range", "defence", *_OPTIONS}
_TRANSFER = _ATTACK - {"defence", *_ATTACK_ONLY} | {"source", "target"}


def attacks(
    sections: Iterable[Mapping[str, Any]], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[AttackJob]:
    for section in sections:
        for job in train:
            for config in _configs(section, job.config.data, "attack"):
                yield AttackJob(job.path, config, where, force)


def transfers(
    sections: Iterable[Mapping[str, Any]], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[TransferJob]:
    for section in sections:
        sources = _chosen(train, section, "source")
        for data in dict.fromkeys(job.config.data for job in sources):
            targets = [j.path for j in _chosen(train, section, "target") if j.config.data == data]
            for job in sources:
                if job.config.data == data:
                    for config in _configs(section, data, "transfer"):
                        yield TransferJob(job.path, tuple(targets), config, where, force)


def _configs(section: Mapping[str, Any], data: str, name: str) -> list[AttackConfig]:
    values.known(section, _TRANSFER if name == "transfer" else _ATTACK, f"[[{name}]]")
    epsilons = grid(
        values.texts(section.get("eps", ())), values.texts(section.get("eps-range", ()))
    )
    options = {key.replace("-", "_"): section[key] for key in _OPTIONS if key in section}
    for key, kind in _OPTIONS.items():
        if key in section:
            values.typed(section[key], kind, f"[[{name}]] {key}")
    return [
        make_attack_config(text, data, epsilons, sweep=name == "attack", defence=defence, **options)
        for defence in values.specs(section.get("defence", "plain"))
        for text in values.specs(section.get("attack", "linf-pgd"))
    ]


def _chosen(train: Sequence[TrainJob], section: Mapping[str, Any], key: str) -> list[TrainJob]:
    """The runs of the methods that `key` names; all runs where it is absent."""
    written = values.specs(section.get(key, ()))
    methods = ["+".join(map(str, build_all(Method, m, trusted=False))) for m in written]
    known = list(dict.fromkeys(job.config.method for job in train))
    for method in methods:
        if method not in known:
            listing = ", ".join(known)
            raise UsageError(f"[[transfer]] {key}: no run of {method}; there are: {listing}")
    return [job for job in train if not methods or job.config.method in methods]
