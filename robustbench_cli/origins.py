"""Where somebody else's weights come from: what a name stands for, before it becomes a run.

resnet20.th                       a file: its data set is typed, the rest is typed or found out
robustbench:NAME                  an entry of RobustBench's list, of which everything is known
hf:OWNER/REPO[@REVISION][/FILE]   of the Hugging Face hub, or of its cache: what timm wrote beside
                                  the weights is known, and what is typed comes before it
FOLDER, with config.json          the same, brought by other means
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from .adopt import adopt
from .data.dataset import Data
from .errors import UsageError
from .jobs import Where, load_data
from .jobs.attack_config import AttackConfig
from .runs import hub
from .runs.given import is_known
from .runs.robustbench import find_entry, find_weights
from .runs.run import Run

_log = logging.getLogger(__name__)
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
    whole = path.name if path.is_file() else str(name)
    if not data:
        raise UsageError(
            f"{whole}: which data set was it trained on? type --data mnist, or for arrays of your "
            "own --data npz:FILE.npz (robustmix --list datasets)"
        )
    held = _held(str(name), path)
    seen = load_data(data, where, trains=False)
    named = None
    if held:
        path = held.weights
        model, normalise = _told(held, seen, model, normalise)
        typed = filter(None, (weights_key, normalise if normalise != held.told.normalise else None))
        named = "-".join([seen.dataset.short, held.name, *typed])
    return adopt(
        path,
        where.runs,
        seen,
        model=model,
        normalise=normalise,
        weights_key=weights_key,
        attacks=attacks(data),
        named=named,
        source={"hub": held.source} if held and held.source else {},
    )


def _held(name: str, path: Path) -> hub.Held | None:
    """What the hub holds, or a folder of its files; also where one of these files is named."""
    if name.startswith(hub.PREFIX):
        return hub.fetch(name)
    if hub.is_folder(path):
        return hub.open_folder(path)
    if path.is_file() and hub.is_folder(path.parent):
        told = hub.read_config(path.parent / "config.json")
        return hub.Held(path, f"{path.parent.resolve().name}-{path.stem}", "", told)
    return None


def _told(
    held: hub.Held, data: Data, model: str | None, normalise: str | None
) -> tuple[str | None, str | None]:
    """Network and normalisation: as typed, or as config.json says.

    Raises:
        UsageError: neither says the network, or it is not for such images.
    """
    told, who = held.told, held.source or held.name
    normalise = normalise or told.normalise
    if model:
        return model, normalise
    if not told.model:
        _log.warning("%s: %s; networks that fit are tried", who, told.silence)
        return model, normalise
    if told.classes and told.classes != len(data.classes):
        raise UsageError(
            f"{who} tells {told.classes} classes apart, and {data.dataset} has {len(data.classes)}"
        )
    made, shape = told.shape, data.test.shape
    if made and made != shape:
        sizes = ("x".join(map(str, each)) for each in (made, shape))
        said = f"{who} is made for images of {next(sizes)}, and {data.dataset} has {next(sizes)}"
        if told.fixed or made[0] != shape[0]:
            raise UsageError(f"{said}; bring others: --data folder:PATH,size={made[1]}x{made[2]}")
        _log.warning("%s", said)
    return told.model, normalise


def _of_zoo(
    text: str, where: Where, data: str | None, weights_key: str | None, attacks: Attacks
) -> Run:
    """Its network and its normalisation are known, so that nothing is guessed."""
    entry = find_entry(text)
    path = find_weights(entry, where.data)
    spec = data or entry.data_set()
    seen = load_data(spec, where, trains=False)
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
