"""``[[attack]]`` and ``[[transfer]]``: on what ``[train]`` trained, or on networks with a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.experiment import values
from robustbench_cli.jobs import AttackJob, TrainJob, TransferJob, Where
from robustbench_cli.jobs.attack_config import AttackConfig, make_attack_config
from robustbench_cli.runs.norm_union import NormUnion, asked_for, attacks_of
from robustbench_cli.spec import build, build_all, family, refuse_unknown
from robustbench_cli.training.method import Method

from . import networks

_ATTACK_ONLY: dict[str, type] = {
    **{"schedule": str, "audit": int, "checks": str, "eight-bit": bool},
    **{"threads": int, "compile": bool, "precision": str},
}
_OPTIONS = {"samples": int, "seed": int, "view": str, "batch-size": int, **_ATTACK_ONLY}
KEYS = {"attack", "eps", "eps-range", "defence", *_OPTIONS}
_TRANSFER = KEYS - {"defence", *_ATTACK_ONLY} | {"source", "target", *networks.KEYS}


def attacks(
    sections: Iterable[Mapping[str, Any]], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[AttackJob]:
    for section in sections:
        if "checkpoint" in section:
            yield from _on_files(section, where, force)
            continue
        if given := [key for key in networks.KEYS if key in section]:
            raise UsageError(
                f"[[attack]] {given[0]} is for somebody else's weights; name their file: "
                'checkpoint = "weights.pt"'
            )
        for job in train:
            for config in configs(section, job.config.data):
                yield AttackJob(job.path, config, where, force)


def _on_files(section: Mapping[str, Any], where: Where, force: bool) -> Iterable[AttackJob]:
    """Every file and every entry becomes a run now, as for ``robustmix attack FILE``."""
    keys = KEYS | {"checkpoint", *networks.KEYS}
    refuse_unknown(section, keys, "[[attack]]")
    names = values.texts(section["checkpoint"])
    if not names:
        raise UsageError("[[attack]] checkpoint needs the name of a file")

    def asked(data: str) -> list[AttackConfig]:
        return configs(section, data, keys=keys)

    for run in networks.open_all(names, section, where, "[[attack]] checkpoint", asked):
        data = str(build(Dataset, section.get("data", run.config["data"]), trusted=False))
        if run.config["data"] != data:
            raise UsageError(f"[[attack]] {run.name} is for {run.config['data']}, not for {data}")
        for config in asked(data):
            yield AttackJob(run.path, config, where, force)


def transfers(
    sections: Iterable[Mapping[str, Any]], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[TransferJob]:
    for section in sections:
        refuse_unknown(section, _TRANSFER, "[[transfer]]")
        sources = _side(train, section, "source", where)
        targets = _side(train, section, "target", where)
        for data in dict.fromkeys(sources.values()):
            shown = tuple(path for path, of in targets.items() if of == data)
            if not shown:
                raise UsageError(f"[[transfer]]: no target is for {data}, as a source is")
            for config in configs(section, data, title="[[transfer]]", keys=_TRANSFER, sweep=False):
                for path, of in sources.items():
                    if of == data:
                        yield TransferJob(path, shown, config, where, force)


def is_among_named(section: Mapping[str, Any]) -> bool:
    """Whether a ``[[transfer]]`` is between networks with names of their own, none of [train]."""
    sides = [values.specs(section.get(key, ())) for key in ("source", "target")]
    return all(side and all(map(networks.is_network, side)) for side in sides)


def _side(
    train: Sequence[TrainJob], section: Mapping[str, Any], key: str, where: Where
) -> dict[Path, str]:
    """The runs that `key` names, with their data sets: by method, or by names of networks."""
    named = [text for text in values.specs(section.get(key, ())) if networks.is_network(text)]
    found = {job.path: job.config.data for job in _chosen(train, section, key)}
    if named:
        for run in networks.open_all(named, section, where, f"[[transfer]] {key}"):
            found[run.path] = run.config["data"]
    elif given := [each for each in networks.KEYS if each in section]:
        other = {"source": "target", "target": "source"}[key]
        if not any(map(networks.is_network, values.specs(section.get(other, ())))):
            raise UsageError(f"[[transfer]] {given[0]} is for somebody else's weights; name them")
    return found


def configs(
    section: Mapping[str, Any],
    data: str,
    *,
    title: str = "[[attack]]",
    keys: set[str] = KEYS,
    sweep: bool = True,
) -> list[AttackConfig]:
    """One per defence and attack of a section with this title that may have these keys."""
    refuse_unknown(section, keys, title)
    attacks, epsilons = values.specs(section.get("attack", "linf-pgd")), section.get("eps", ())
    named = attacks_of(
        attacks,
        values.texts(epsilons),
        values.texts(section.get("eps-range", ())),
        unions(section) if title == "[[attack]]" else (),
    )
    options = values.options(section, _OPTIONS, title)
    return [
        make_attack_config(text, data, listed, sweep=sweep, defence=defence, **options)
        for defence in values.specs(section.get("defence", "plain"))
        for text, listed in named
    ]


def unions(section: Mapping[str, Any]) -> tuple[NormUnion, ...]:
    """The union over norms that an ``[[attack]]`` asks for, if it does."""
    found = asked_for(
        values.specs(section.get("attack", "linf-pgd")), values.texts(section.get("eps", ()))
    )
    for union in found:
        union.refuse_alike([build(Attack, ball.attack).norm for ball in union.balls])
    return found


def _chosen(train: Sequence[TrainJob], section: Mapping[str, Any], key: str) -> list[TrainJob]:
    """The runs of the methods that `key` names; all runs where it is absent.

    A name without parameters stands for all settings of the method where none is exactly that.
    """
    written = values.specs(section.get(key, ()))
    found: set[TrainJob] = set()
    for text in (each for each in written if not networks.is_network(each)):
        method = "+".join(map(str, build_all(Method, text, trusted=False)))
        exact = {job for job in train if job.config.method == method}
        settled = {(job.config.data, job.config.model) for job in exact}
        others = {
            job
            for job in train
            if family(job.config.method) == text
            and (job.config.data, job.config.model) not in settled
        }
        if not exact | others:
            listing = ", ".join(dict.fromkeys(job.config.method for job in train))
            raise UsageError(f"[[transfer]] {key}: no run of {method}; there are: {listing}")
        found |= exact | others
    return [job for job in train if not written or job in found]
