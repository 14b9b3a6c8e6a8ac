"""Where somebody else's weights come from: what a name stands for, before it becomes a run.

resnet20.th                       a file: its data set is typed, the rest is typed or found out
robustbench:NAME                  an entry of RobustBench's list, of which everything is known
hf:OWNER/REPO[@REVISION][/FILE]   of the Hugging Face hub, or of its cache: what timm wrote beside
                                  the weights is known, and what is typed comes before it
FOLDER, with config.json          the same, brought by other means

Every door opens networks by :func:`open_named`, which knows runs and A+B as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .adopt import GUESS, adopt
from .data.dataset import Data
from .errors import UsageError
from .jobs import Where, load_data
from .jobs.attack_config import AttackConfig
from .jobs.ensembles import gather, several
from .runs import hub
from .runs.given import is_foreign, is_known, is_untold
from .runs.robustbench import find_entry, find_weights
from .runs.run import Run, load_runs

_log = logging.getLogger(__name__)
Attacks = Callable[[str], Sequence[AttackConfig]]
"""How networks of a data set will be attacked: by that a guess is judged."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a user says of somebody else's weights: what the weights themselves do not say."""

    data: str | None = None
    model: str | None = None
    normalise: str | None = None
    weights_key: str | None = None

    def unneeded(self, names: Iterable[str]) -> str | None:
        """What is said though it is about none of these; None where all of it may be needed.

        A data set may always be said: some of RobustBench's entries need it.
        """
        if any_untold(names):
            return None
        return next((key for key, value in asdict(self).items() if value and key != "data"), None)


def any_untold(names: Iterable[str]) -> bool:
    """Whether something may have to be said of one of these, or of a member of one."""
    return any(is_untold(part) for name in names for part in parts(name))


def parts(name: str) -> tuple[str, ...]:
    """Of ``A+B`` its members; of anything else itself."""
    asked = several(name)
    return (name,) if asked is None else asked.members


def open_named(
    name: str, where: Where, said: Said = Said(), attacks: Attacks = lambda _: ()
) -> list[Run]:
    """The runs that a name stands for, or that somebody else's weights become below ``where.runs``.

    A run's directory, a folder of runs, a pattern; a file, robustbench:NAME, hf:OWNER/REPO, a
    folder that comes from there; ``A+B`` is one network of those. `said` is about what is no run.

    Raises:
        UsageError: it names nothing, or something more must be said.
        RunError: weights that cannot be used.
    """
    if asked := several(name):
        members = [run for each in asked.members for run in open_named(each, where, said, attacks)]
        return [gather(members, asked.mean, where.runs)]
    if not is_foreign(name):
        return load_runs(name)
    if is_known(name):
        return [_of_zoo(name, where, said.data, attacks)]
    return [_open_foreign(name, where, said, attacks)]


def _open_foreign(name: str, where: Where, said: Said, attacks: Attacks) -> Run:
    """The run that somebody else's weights become, or the one whose weights a file is."""
    data, model, normalise = said.data, said.model, said.normalise
    path = Path(name)
    if path.name in ("run.json", "model.safetensors") and (path.parent / "run.json").is_file():
        return Run.open(path.parent)
    whole = path.name if path.is_file() else name
    if not data:
        raise UsageError(
            f"{whole}: which data set was it trained on? type --data mnist, or for arrays of your "
            "own --data npz:FILE.npz (robustmix --list datasets)"
        )
    held = _held(name, path)
    seen = load_data(data, where, trains=False)
    named = None
    if held:
        path = held.weights
        model, normalise = _told(held, seen, model, normalise)
        typed = filter(
            None, (said.weights_key, normalise if normalise != held.told.normalise else None)
        )
        named = "-".join([seen.dataset.short, held.name, *typed])
    return adopt(
        path,
        where.runs,
        seen,
        model=model,
        normalise=normalise,
        weights_key=said.weights_key,
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
    if normalise in (None, GUESS):  # what is written need not be guessed
        normalise = told.normalise or normalise
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


def _of_zoo(text: str, where: Where, data: str | None, attacks: Attacks) -> Run:
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
        weights_key=entry.weights_key or None,
        attacks=attacks(spec),
        named=str(entry) if spec == entry.data else f"{seen.dataset.short}-{entry}",
        source={"zoo": str(entry)},
    )
