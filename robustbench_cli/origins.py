"""Where somebody else's weights come from: what a name stands for, before it becomes a run.

resnet20.th                       a file: its data set is typed, the rest is typed or found out
robustbench:NAME                  an entry of RobustBench's list, of which everything is known
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .adopt import adopt
from .errors import UsageError
from .jobs import Where, load_data
from .jobs.attack_config import AttackConfig
from .runs.given import is_known
from .runs.robustbench import find_entry, find_weights
from .runs.run import Run

Attacks = Callable[[str], Sequence[AttackConfig]]
"""How networks of a data set will be attacked: by that a guess is judged."""


def open_foreign(
    name: str | Path,
    where: Where,
    *,
    data: str | None = None,
    model: str | None = None,
    normalise: str | None = None,
    weights_key: str | None = None,
    attacks: Attacks = lambda _: (),
) -> Run:
    """The run that somebody else's weights become, or the one whose weights a file is.

    Raises:
        UsageError: what is needed was not said, or there is no such entry.
        RunError: the weights cannot be used.
    """
    if is_known(name):
        for key, given in {"model": model, "normalise": normalise}.items():
            if given:
                raise UsageError(f"of {name} the {key} is known; leave it out")
        return _of_zoo(str(name), where, data, weights_key, attacks)
    path = Path(name)
    if path.name in ("run.json", "model.safetensors") and (path.parent / "run.json").is_file():
        return Run.open(path.parent)
    if not data:
        raise UsageError(f"{path.name}: which data set was it trained on? type --data mnist")
    return adopt(
        path,
        where.runs,
        load_data(data, where, untrained=True),
        model=model,
        normalise=normalise,
        weights_key=weights_key,
        attacks=attacks(data),
    )


def _of_zoo(
    text: str, where: Where, data: str | None, weights_key: str | None, attacks: Attacks
) -> Run:
    """Its network and its normalisation are known, so that nothing is guessed."""
    entry = find_entry(text)
    path = find_weights(entry, where.data)
    spec = data or entry.data_set()
    seen = load_data(spec, where, untrained=True)
    if len(seen.classes) != entry.classes:
        raise UsageError(
            f"{entry} tells {entry.classes} classes apart, and {spec} has {len(seen.classes)}"
        )
    return adopt(
        path,
        where.runs,
        seen,
        model=entry.model,
        normalise=entry.normalise or None,
        weights_key=weights_key or entry.weights_key or None,
        attacks=attacks(spec),
        named=str(entry) if spec == entry.data else f"{seen.dataset.short}-{entry}",
        source={"zoo": str(entry)},
    )
