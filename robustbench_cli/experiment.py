"""A whole experiment in one TOML file: train a grid, attack it, transfer, report.

[train]                                   # every key may be a list: the grid is their product
data = "digits"
method = ["plain", "pgd-at", "mixup:alpha=0.4+pgd-at"]
seeds = 3

[[attack]]                                # any number of these
attack = ["linf-fgsm", "linf-pgd:steps=40"]
eps-range = "0:0.5:0.05"
samples = 200

[[transfer]]                              # source and target are methods; all by default
source = "plain"
attack = "linf-pgd"
eps = "0.1"

[[analyse]]                               # of every run; -o, or [report], draws what is stored
analysis = ["church-window", "per-class"]

[report]
folder = "results"
figures = ["scatter", "history"]          # beside those that every report has
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any, get_args, get_type_hints

from .epsilon import Eps, grid
from .errors import UsageError
from .jobs import AnalyseJob, AttackJob, TrainJob, TransferJob, Where, make_question
from .jobs.attack_config import AttackConfig, make_attack_config
from .reporting.figure import Figure
from .spec import build, build_all
from .training.config import TrainConfig
from .training.method import Method

MOST_SEEDS = 10_000  # more is a slip of the keyboard
_ATTACK_ONLY: dict[str, type] = {
    **{"schedule": str, "audit": int, "checks": str, "eight-bit": bool},
    **{"threads": int, "compile": bool, "precision": str},
}
_OPTIONS = {"samples": int, "seed": int, "view": str, "batch-size": int, **_ATTACK_ONLY}
_ATTACK = {"attack", "eps", "eps-range", "defence", *_OPTIONS}
_TRANSFER = _ATTACK - {"defence", *_ATTACK_ONLY} | {"source", "target"}
_SECTIONS = {"train", "attack", "transfer", "analyse", "analyze", "report"}
_ANALYSE = {"analysis", "seed", "view", "defence"}
_REPORT = {"folder", "by", "attack", "eps", "figures", "highlight"}
_RESOLVED = {"method_resolved"}


@dataclass(frozen=True)
class ReportConfig:
    """Where the report goes and what it shows."""

    folder: Path | None = None
    by: str = "method"
    attack: tuple[str, ...] = ()
    epsilons: tuple[Eps, ...] = ()
    figures: tuple[str, ...] = ()
    highlight: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """The jobs of a file, in the order in which they must be done, phase by phase."""

    train: tuple[TrainJob, ...]
    attack: tuple[AttackJob, ...] = ()
    transfer: tuple[TransferJob, ...] = ()
    report: ReportConfig = field(default_factory=ReportConfig)
    analyse: tuple[AnalyseJob, ...] = ()

    @property
    def run_paths(self) -> list[Path]:
        return [job.path for job in self.train]


def read_experiment(path: Path, where: Where, *, force: bool = False) -> Experiment:
    """
    Raises:
        UsageError: no such file, no TOML, an unknown key, or a spec that makes no sense; the
            message names the section.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as e:
        raise UsageError(f"cannot read {path}: {e.strerror or e}") from e
    except (ValueError, RecursionError) as e:  # no TOML, no UTF-8, or a number of 5000 digits
        raise UsageError(f"{path} is no TOML: {e}") from e
    try:
        _known(document, _SECTIONS, "the file")
        return _experiment(document, where, force)
    except UsageError as e:
        raise UsageError(f"{path}: {e}") from e


def _experiment(document: dict[str, Any], where: Where, force: bool) -> Experiment:
    train = tuple(TrainJob(config, where, force) for config in _configs(_table(document, "train")))
    attacks = [
        AttackJob(job.path, config, where, force)
        for section in _tables(document, "attack")
        for job in train
        for config in _attack_configs(section, job.config.data, "attack")
    ]
    return Experiment(
        train,
        tuple(attacks),
        tuple(_transfers(document, train, where, force)),
        _report(_table(document, "report")),
        tuple(_analyses(document, train, where, force)),
    )


def _configs(section: Mapping[str, Any]) -> list[TrainConfig]:
    """The grid of a [train] section, seeds innermost."""
    known = {f.name.replace("_", "-"): f.name for f in fields(TrainConfig)}
    known = {k: v for k, v in known.items() if v not in _RESOLVED}
    _known(section, {*known, "seeds"}, "[train]")
    hints = get_type_hints(TrainConfig)
    axes: dict[str, list[Any]] = {}
    for key, given in section.items():
        if key != "seeds":
            name = known[key]
            if given == []:
                raise UsageError(f"[train] {key} is an empty list; name at least one")
            axes[name] = [_typed(v, hints[name], f"[train] {key}") for v in _listed(given)]
    if "seeds" in section:
        seeds = _typed(section["seeds"], int, "[train] seeds")
        if not 1 <= seeds <= MOST_SEEDS:
            raise UsageError(f"[train] seeds {seeds}: expected 1 to {MOST_SEEDS}")
        axes["seed"] = [*axes.get("seed", []), *range(seeds)]
    axes["seed"] = list(dict.fromkeys(axes.get("seed") or [0]))
    axes["seed"] = axes.pop("seed")
    return [
        TrainConfig(**dict(zip(axes, values, strict=True))).resolve(trusted=False)
        for values in product(*axes.values())
    ]


def _attack_configs(section: Mapping[str, Any], data: str, name: str) -> list[AttackConfig]:
    _known(section, _TRANSFER if name == "transfer" else _ATTACK, f"[[{name}]]")
    epsilons = grid(_texts(section.get("eps", ())), _texts(section.get("eps-range", ())))
    options = {key.replace("-", "_"): section[key] for key in _OPTIONS if key in section}
    for key, kind in _OPTIONS.items():
        if key in section:
            _typed(section[key], kind, f"[[{name}]] {key}")
    return [
        make_attack_config(text, data, epsilons, sweep=name == "attack", defence=defence, **options)
        for defence in _texts(section.get("defence", "plain"))
        for text in _texts(section.get("attack", "linf-pgd"))
    ]


def _transfers(
    document: Mapping[str, Any], train: tuple[TrainJob, ...], where: Where, force: bool
) -> Iterable[TransferJob]:
    for section in _tables(document, "transfer"):
        sources = _chosen(train, section, "source")
        for data in dict.fromkeys(job.config.data for job in sources):
            targets = [j.path for j in _chosen(train, section, "target") if j.config.data == data]
            for job in sources:
                if job.config.data == data:
                    for config in _attack_configs(section, data, "transfer"):
                        yield TransferJob(job.path, tuple(targets), config, where, force)


def _analyses(
    document: Mapping[str, Any], train: tuple[TrainJob, ...], where: Where, force: bool
) -> Iterable[AnalyseJob]:
    for name in ("analyse", "analyze"):
        for section in _tables(document, name):
            _known(section, _ANALYSE, f"[[{name}]]")
            options = {
                key: _typed(section[key], kind, f"[[{name}]] {key}")
                for key, kind in {"seed": int, "view": str}.items()
                if key in section
            }
            specs = _texts(section.get("analysis", ()))
            if not specs:
                raise UsageError(f'[[{name}]] needs an analysis: analysis = "church-window"')
            for job in train:
                for defence in _texts(section.get("defence", "plain")):
                    for text in specs:
                        question = make_question(text, job.config.data, defence=defence, **options)
                        yield AnalyseJob(job.path, question, where, force)


def _chosen(train: tuple[TrainJob, ...], section: Mapping[str, Any], key: str) -> list[TrainJob]:
    """The runs of the methods that `key` names; all runs where it is absent."""
    written = _texts(section.get(key, ()))
    methods = ["+".join(map(str, build_all(Method, m, trusted=False))) for m in written]
    known = list(dict.fromkeys(job.config.method for job in train))
    for method in methods:
        if method not in known:
            listing = ", ".join(known)
            raise UsageError(f"[[transfer]] {key}: no run of {method}; there are: {listing}")
    return [job for job in train if not methods or job.config.method in methods]


def _report(section: Mapping[str, Any]) -> ReportConfig:
    _known(section, _REPORT, "[report]")
    return ReportConfig(
        Path(_typed(section["folder"], str, "[report] folder")) if "folder" in section else None,
        _typed(section.get("by", "method"), str, "[report] by"),
        tuple(_texts(section.get("attack", ()))),
        grid(_texts(section.get("eps", ()))),
        tuple(
            str(build(Figure, spec, trusted=False)) for spec in _texts(section.get("figures", ()))
        ),
        tuple(_texts(section.get("highlight", ()))),
    )


def _known(section: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in section:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{where} has no {key!r}; {hint}it has: {', '.join(sorted(known))}")


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, Mapping):
        raise UsageError(f"{name} is a section: write [{name}] once")
    return section


def _tables(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    sections = document.get(name, [])
    sections = [sections] if isinstance(sections, Mapping) else sections
    if not isinstance(sections, list) or not all(isinstance(s, Mapping) for s in sections):
        raise UsageError(f"{name} is a list of sections: write [[{name}]]")
    return sections


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _texts(given: Any) -> list[str]:
    texts = list(given) if isinstance(given, tuple) else _listed(given)
    for text in texts:
        if not isinstance(text, (str, int, float)) or isinstance(text, bool):
            raise UsageError(f"{text!r}: expected text, or a list of texts")
    return [str(text) for text in texts]


def _typed(value: Any, hint: Any, where: str) -> Any:
    """The value, if TOML gave it the type that the setting has."""
    kinds = tuple(k for k in (get_args(hint) or (hint,)) if isinstance(k, type))
    literals = [k for k in get_args(hint) if isinstance(k, str)]
    for inner in get_args(hint):
        literals += [k for k in get_args(inner) if isinstance(k, str)]
    if literals:
        if value in literals:
            return value
        raise UsageError(f"{where} is one of {', '.join(literals)}; got {value!r}")
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > 10**12:
            raise UsageError(f"{where} is out of range")
        return float(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise UsageError(f"{where} must be {kinds[0].__name__}; got {value!r}")
    return value
