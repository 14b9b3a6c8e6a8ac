"""From run directories to one tidy table: a row for each run, attack and epsilon."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.data_identity import refuse_mixed
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import FOLDERS, Run
from robustbench_cli.spec import Plugin
from robustbench_cli.statistics.intervals import wilson

from .labels import group_of, label_groups

COLUMNS = (
    *("run", "group", "label", "data", "model", "method", "seed", "attack", "norm", "view"),
    *("eps", "eps_value", "accuracy", "low", "high", "n", "broken", "median_distance"),
    *("at_target", "at_target_low", "at_target_high", "aimed", "file", "files"),
    *("evaluations", "classes", "defence", "notes", "split", "forwards", "backwards", "seconds"),
)
COST = ("forwards", "backwards", "seconds")
Attacks = str | Plugin | Iterable[object] | None


def collect(
    runs: Sequence[Run],
    *,
    by: str = "method",
    attack: Attacks = None,
    files: Sequence[Path] = (),
) -> pd.DataFrame:
    """One row per run, attack, view and epsilon; the row of epsilon 0 is the clean accuracy.

    accuracy, low, high: share of the n samples still classified right, with Wilson's interval.
    broken: how many were not. median_distance: of the verified perturbations, in their norm.
    classes: of the data set. defence: what stood before the network, or empty. notes: what the
    attack recorded, a line each. split: whether the images are test or validation images.
    forwards, backwards: of the whole evaluation, per sample; seconds: all of it, on the machine
    where it ran.
    at_target: of targeted attacks, the share of the `aimed` samples of other classes that is taken
    for the class aimed at, with Wilson's interval; NaN and 0 of others.
    evaluations: how many files of the run the attack has; where several hold the same epsilon, the
    one with the most samples speaks, then the one with the largest grid. file: the name of the one
    that speaks; files: of all, with blanks between them.

    `attack`: a spec such as ``linf-pgd:steps=40``, or a name, which stands for all of its specs
    where no evaluation has exactly that spec. `files`: only these records of evaluations. Of runs
    equal in everything, only the first counts. A defence put before a run makes a group of its own.

    Raises:
        UsageError: nothing was ever attacked by `attack`.
        RunError: runs of one data set saw different images.
    """
    refuse_mixed((run.path, run.config["data"], run.record.get("data") or {}) for run in runs)
    labels = label_groups(runs, by)
    attacked = [(run, _evaluations(run, files)) for run in _distinct(runs, by)]
    chosen = set(select({e.attack for _, found in attacked for e in found}, attack))
    rows: list[dict[str, Any]] = []
    for run, found in attacked:
        group = group_of(run, by)
        for defence, evaluations in _by_defence(found).items():
            settings = {k: run.config.get(k) for k in ("data", "model", "method", "seed")}
            names = {"run": run.name, "group": group, "label": labels[group]}
            names |= {"defence": defence or "", "split": run.split}
            if defence:
                settings["method"] = f"{settings['method']}+{defence}"
                names |= {"group": f"{group} {defence}", "label": f"{labels[group]} + {defence}"}
            about = {**settings, **names, "classes": _classes(run)}
            rows += [{**row, **about} for row in _run_rows(evaluations, chosen)]
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    whole = {"seed": "Int64", "classes": "Int64"}  # nullable: a bare checkpoint has neither
    columns = {key: [row[key] for row in rows] for key in COLUMNS}
    return pd.DataFrame(columns).astype(whole)


def select(found: Iterable[str], attack: Attacks) -> list[str]:
    """The attack specs among `found` that `attack` names; all of them for None."""
    found = sorted(found)
    if attack is None or not found:
        return found
    chosen: list[str] = []
    for wanted in map(str, [attack] if isinstance(attack, (str, Plugin)) else attack):
        exact = [spec for spec in found if spec == wanted]
        named = exact or [spec for spec in found if spec.partition(":")[0] == wanted]
        if not named:
            raise UsageError(f"no run was attacked by {wanted}; there are: {', '.join(found)}")
        chosen += named
    return chosen


def points(evaluation: Evaluation) -> list[dict[str, Any]]:
    """eps, eps_value, accuracy, low, high, n, broken, median_distance, at_target with its interval,
    aimed; epsilon 0 included.
    """
    tally = evaluation.tally
    grid = [(eps.text, float(eps)) for eps in evaluation.epsilons]
    clean, *reached = tally.reached or [0] * (len(grid) + 1)
    counts = list(zip(grid, tally.right, tally.distance, reached, strict=True))
    if all(value for _, value in grid):
        counts.insert(0, (("0", 0.0), tally.clean, nan, clean))
    rows = []
    for (text, value), right, distance, hit in counts:
        low, high = wilson(right, tally.n)
        point = {"eps": text, "eps_value": value, "accuracy": right / tally.n}
        point |= {"low": low, "high": high, "n": tally.n, "broken": tally.n - right}
        rows.append({**point, "median_distance": distance, **at_target(hit, tally.aimed)})
    return rows


def at_target(reached: int, aimed: int) -> dict[str, Any]:
    """The share with its interval; NaN where nothing was aimed at."""
    low, high = wilson(reached, aimed) if aimed else (nan, nan)
    rate = reached / aimed if aimed else nan
    return {"at_target": rate, "at_target_low": low, "at_target_high": high, "aimed": aimed}


def view_of(evaluation: Evaluation) -> str:
    """What was attacked: the network as it would be deployed, or bare."""
    record = evaluation.record
    return str(record.get("view") or record.get("identity", {}).get("view") or "deployed")


def _evaluations(run: Run, files: Sequence[Path]) -> list[Evaluation]:
    if not files:
        return run.evaluations()
    folder = (run.path / FOLDERS[run.split]).resolve()
    return [Evaluation.load(path) for path in files if path.resolve().parent == folder]


def _by_defence(evaluations: Iterable[Evaluation]) -> dict[str | None, list[Evaluation]]:
    """A network behind a defence is another one; without any it comes first."""
    found: dict[str | None, list[Evaluation]] = {}
    for evaluation in evaluations:
        defence = evaluation.record.get("identity", {}).get("defence")
        found.setdefault(defence, []).append(evaluation)
    return {key: found[key] for key in sorted(found, key=lambda key: key or "")}


def _run_rows(
    evaluations: Sequence[Evaluation], chosen: Container[str]
) -> Iterator[dict[str, Any]]:
    """Of each attack, view and epsilon the row that speaks, sorted by them."""
    files: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in evaluations:
        if evaluation.attack in chosen:
            key = evaluation.attack, view_of(evaluation)
            files.setdefault(key, []).append(evaluation)
    for (attack, view), listed in sorted(files.items(), key=lambda item: item[0]):
        found: dict[float, dict[str, Any]] = {}
        names = " ".join(evaluation.file_name for evaluation in listed)
        for evaluation in sorted(listed, key=lambda e: (-e.n, -len(e.epsilons))):
            about: dict[str, Any] = {"attack": attack, "norm": evaluation.norm, "view": view}
            about["notes"] = "\n".join(map(str, evaluation.record.get("notes", ())))
            about |= {**dict.fromkeys(COST, nan), **evaluation.record.get("cost", {})}
            about |= {"file": evaluation.file_name, "files": names, "evaluations": len(listed)}
            for point in points(evaluation):
                found.setdefault(point["eps_value"], {**point, **about})
        yield from (found[value] for value in sorted(found))


def _distinct(runs: Iterable[Run], by: str) -> list[Run]:
    found: dict[tuple[str, Any], Run] = {}
    for run in runs:
        found.setdefault((group_of(run, by), run.config.get("seed")), run)
    return list(found.values())


def _classes(run: Run) -> int | None:
    data = run.record.get("data")
    classes = data.get("classes") if isinstance(data, dict) else None
    return len(classes) if isinstance(classes, list) and classes else None
