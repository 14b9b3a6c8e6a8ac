"""Runs as people name them: the object, the path of its directory as text, or several of them.

What else may be attacked has names, too: a checkpoint file, an entry of RobustBench's list, or what
the Hugging Face hub holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from glob import has_magic
from pathlib import Path

from robustbench_cli.errors import UsageError

from . import hub, robustbench
from .run import Run, load_runs

RunLike = Run | str | Path
"""A run, or the directory that holds one."""
RunsLike = RunLike | Iterable[RunLike]
"""One or several; a folder of runs and a shell pattern stand for all that they name."""


def is_foreign(name: str | Path) -> bool:
    """Whether it names somebody else's weights, and not a run."""
    if is_known(name) or (str(name).startswith(hub.PREFIX) and "+" not in str(name)):
        return True
    return Path(name).is_file() or hub.is_folder(Path(name))


def is_known(name: str | Path) -> bool:
    """Whether everything is known of the weights that it names: nothing is for the user to say."""
    return str(name).startswith(robustbench.PREFIX) and "+" not in str(name)


def is_untold(name: str) -> bool:
    """Whether something may have to be said of what it names: no run, and not known by its name.

    A name of nothing counts, so that what is said first is that it is not there.
    """
    return not is_known(name) and (is_foreign(name) or not (has_magic(name) or Path(name).is_dir()))


def one_run(given: RunLike, who: str) -> Run:
    """
    Raises:
        UsageError: it is no run, nor the name of one.
        RunError: no run lies there.
    """
    if isinstance(given, Run):
        return given
    if isinstance(given, (str, Path)):
        return Run.open(given)
    raise UsageError(f"{who} takes a Run or the path of one; got {kind(given)}")


def all_runs(given: RunsLike, who: str) -> list[Run]:
    """In their order, each once.

    Raises:
        UsageError: one is no run, nor names any.
    """
    if isinstance(given, (Run, str, Path)):
        given = [given]
    elif not isinstance(given, Iterable) or isinstance(given, (bytes, dict)):
        raise UsageError(f"{who} takes a Run, a path, or several of them; got {kind(given)}")
    found: dict[Path, Run] = {}
    for each in given:
        if not isinstance(each, (Run, str, Path)):
            raise UsageError(f"{who} takes Runs or paths; among them is {kind(each)}")
        for run in [each] if isinstance(each, Run) else load_runs(each):
            found.setdefault(run.path.resolve(), run)
    return [*found.values()]


def kind(given: object) -> str:
    """Of which type something is, as a message says it."""
    if given is None:
        return "None"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    return type(given).__name__
