"""What a run's directory holds and a tracker does not know yet: epochs, tables, pictures."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robustbench_cli.errors import RobustmixError
from robustbench_cli.files import digest
from robustbench_cli.locks import held
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import names

from .telling import Telling, warn

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table

Found = tuple["Table", dict[str, float], list[str]]
"""A table, numbers of it, and the figures that show it."""


def publish(path: Path, spec: str) -> list[str]:
    """Tell the tracker `spec` of the run at `path`; returns what was new to it, in words.

    Raises:
        RobustmixError: the tracker fails, in one line; or the run is damaged.
    """
    with held(path, f"track {path.name}"):
        telling, told, finished = Telling(spec, path), [], False
        try:
            run = Run.open(path)
            if count := _epochs(telling, run):
                told.append(f"{count} epoch{'s' * (count > 1)}")
            for name, look in RESULTS.items():
                mark = _mark(run, name)
                if mark is None or telling.knows(name, mark):
                    continue
                table, numbers, figures = look(run)
                with tempfile.TemporaryDirectory() as folder:
                    pictures = _drawn(run, figures, Path(folder))
                    telling.result(name, table, numbers, pictures, mark)
                told += [name, *pictures]
            finished = True
        finally:
            telling.end(finished=finished)
    return told


def publish_all(paths: Iterable[Path], specs: Sequence[str]) -> None:
    """Tell every tracker of every run, each once; what fails costs a warning."""
    for path in dict.fromkeys(paths):
        for spec in specs:
            try:
                publish(path, spec)
            except RobustmixError as e:
                warn(spec, path, e)


def _epochs(telling: Telling, run: Run) -> int:
    """Those of history.csv; somebody else's weights have none."""
    if not (run.path / "history.csv").is_file():
        return 0
    rows = run.history().to_dict("records")
    history = [{str(key): float(value) for key, value in row.items()} for row in rows]
    return telling.epochs(history) if history else 0


def _mark(run: Run, name: str) -> str | None:
    """Another one whenever a record of this kind changes; None where there is none."""
    records = sorted((run.path / name).glob("[!.]*.json"))
    marks = "\n".join(f"{path.name} {digest(path)}" for path in records)
    return hashlib.sha256(marks.encode()).hexdigest()[:16] if records else None


def _attacks(run: Run) -> Found:
    from robustbench_cli.reporting.numbers.frame import collect
    from robustbench_cli.reporting.tables.points import points_table

    files = sorted((run.path / "attacks").glob("[!.]*.json"))
    numbers = {}
    for row in collect([run], by="run").to_dict("records"):
        behind = f" behind {row['defence']}" if row["defence"] else ""
        view = "" if row["view"] == "deployed" else f" ({row['view']})"
        numbers[f"{row['attack']}{behind}{view}/{row['eps']}"] = float(row["accuracy"])
    return points_table(files), numbers, ["decay-curve"]


def _transfers(run: Run) -> Found:
    from robustbench_cli.reporting.report import transfer_table

    numbers = {}
    for evaluation in run.transfers():
        for point in evaluation.accuracy().to_dict("records"):
            key = f"{evaluation.attack} to {evaluation.record['target']}/{point['eps']}"
            numbers[key] = float(point["accuracy"])
    return transfer_table([run], by="run"), numbers, ["transfer-matrix"]


def _analyses(run: Run) -> Found:
    from robustbench_cli.reporting.report import summary

    stored = run.analyses()
    numbers = {f"{each.analysis}/{n.name}": n.value for each in stored for n in each.numbers}
    kinds = dict.fromkeys(each.analysis.partition(":")[0] for each in stored)
    figures = [name for name in kinds if name in names("figures")]
    return summary([run], by="run"), numbers, figures


RESULTS: Mapping[str, Callable[[Run], Found]] = {
    "attacks": _attacks,
    "transfer": _transfers,
    "analyses": _analyses,
}
"""By the folder that holds them."""


def _drawn(run: Run, figures: Iterable[str], folder: Path) -> dict[str, Path]:
    from robustbench_cli.reporting.report import figure, save_figure

    found = {}
    for name in figures:
        found[name] = folder / f"{name}.png"
        save_figure(figure(name, [run], by="run"), found[name])
    return found
