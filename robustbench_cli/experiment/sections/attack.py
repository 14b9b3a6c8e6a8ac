"""``[[attack]]`` and ``[[transfer]]``: attacks on what ``[train]`` trained, or on files."""

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
from robustbench_cli.jobs.ensembles import gather, several
from robustbench_cli.models.own import open_architecture
from robustbench_cli.origins import open_foreign
from robustbench_cli.runs.given import is_foreign, is_known
from robustbench_cli.runs.norm_union import NormUnion, asked_for, attacks_of
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build, build_all, family, refuse_unknown
from robustbench_cli.training.method import Method

_ATTACK_ONLY: dict[str, type] = {
    **{"schedule": str, "audit": int, "checks": str, "eight-bit": bool},
    **{"threads": int, "compile": bool, "precision": str},
}
_OPTIONS = {"samples": int, "seed": int, "view": str, "batch-size": int, **_ATTACK_ONLY}
KEYS = {"attack", "eps", "eps-range", "defence", *_OPTIONS}
_FOREIGN = ("data", "model", "normalise", "weights-key")
"""Of somebody else's weights, what their file does not say."""
_TRANSFER = KEYS - {"defence", *_ATTACK_ONLY} | {"source", "target"}


def attacks(
    sections: Iterable[Mapping[str, Any]], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[AttackJob]:
    for section in sections:
        if "checkpoint" in section:
            yield from _on_files(section, where, force)
            continue
        if given := [key for key in _FOREIGN if key in section]:
            raise UsageError(
                f"[[attack]] {given[0]} is for somebody else's weights; name their file: "
                'checkpoint = "weights.pt"'
            )
        for job in train:
            for config in configs(section, job.config.data):
                yield AttackJob(job.path, config, where, force)


def _on_files(section: Mapping[str, Any], where: Where, force: bool) -> Iterable[AttackJob]:
    """Every file and every entry becomes a run now, as for ``robustmix attack FILE``.

    ``A+B`` is one of both.
    """
    keys = KEYS | {"checkpoint", *_FOREIGN}
    refuse_unknown(section, keys, "[[attack]]")
    names = values.texts(section["checkpoint"])
    ensembles = {name: several(name) for name in names}
    parts = [part for name in names for part in getattr(ensembles[name], "members", (name,))]
    given = values.options(section, dict.fromkeys(_FOREIGN, str), "[[attack]]")
    told = [part for part in parts if not is_known(part)]
    if not names or (told and "data" not in given):
        what = "data: the data set it was trained on" if names else "the name of a file"
        raise UsageError(f"[[attack]] checkpoint needs {what}")
    if names and not told and (extra := given.keys() - {"data"}):
        key = min(extra).replace("_", "-")
        raise UsageError(f"[[attack]] {key}: of {names[0]} it is known; leave it out")
    if "model" in given:
        open_architecture(given["model"], trusted=False)  # a file wrote it

    def asked(data: str) -> list[AttackConfig]:
        return configs(section, data, keys=keys)

    def opened(name: str) -> Run:
        if (Path(name) / "run.json").is_file():
            return Run.open(name)
        if not is_foreign(name):
            raise UsageError(f"[[attack]] checkpoint: no file {name}")
        known = {key: given[key] for key in ("data",) if key in given}
        return open_foreign(name, where, **(known if is_known(name) else given), attacks=asked)

    if "data" in given:
        asked(given["data"])  # before any file is read
    for name in names:
        together = ensembles[name]
        run = (
            opened(name)
            if together is None
            else gather([opened(each) for each in together.members], together.mean, where.runs)
        )
        data = str(build(Dataset, given.get("data", run.config["data"]), trusted=False))
        if run.config["data"] != data:
            raise UsageError(f"[[attack]] {name} is for {run.config['data']}, not for {data}")
        for config in asked(data):
            yield AttackJob(run.path, config, where, force)


def transfers(
    sections: Iterable[Mapping[str, Any]], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[TransferJob]:
    for section in sections:
        sources = _chosen(train, section, "source")
        for data in dict.fromkeys(job.config.data for job in sources):
            targets = [j.path for j in _chosen(train, section, "target") if j.config.data == data]
            for job in sources:
                if job.config.data == data:
                    for config in configs(
                        section, data, title="[[transfer]]", keys=_TRANSFER, sweep=False
                    ):
                        yield TransferJob(job.path, tuple(targets), config, where, force)


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
    for text in written:
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
