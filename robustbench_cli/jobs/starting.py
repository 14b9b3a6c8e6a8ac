"""``init``: where the weights lie that a training begins with, and which network they are of."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Architecture
from robustbench_cli.runs import hub
from robustbench_cli.runs.given import is_foreign, is_known
from robustbench_cli.runs.robustbench import find_entry, find_weights
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.loop.starting import Start

from .inputs import named_run
from .job import Where

_LIBRARY = "timm:"
_OWN = ("run.json", "model.safetensors")  # a file of a run stands for the run


class Beginning(NamedTuple):
    """The network that is trained, and whose weights it begins with, as a config says it."""

    model: str
    init: str | None


def beginning(model: str | None, init: str | None, runs: Path) -> Beginning:
    """What a config says where the user named `model`, `init`, both or none.

    A run knows its network, and so do RobustBench's list and what timm wrote on the hub; weights
    that timm has are a setting of timm's networks.

    Raises:
        UsageError: a file without the name of its network, or timm's weights for another network.
        RunError: no such run or file.
    """
    if not init:
        return Beginning(model or "lenet5", None)
    if init.startswith(_LIBRARY):
        return Beginning(_pretrained(model, init), None)
    if is_known(init):
        entry = find_entry(init)
        return Beginning(model or entry.model or "lenet5", str(entry))  # none: said when it is read
    if _of_hub(init):
        held = hub.fetch(init)
        if not (named := model or held.told.model):
            raise UsageError(f"--init {init}: {held.told.silence}; type --model NAME too")
        return Beginning(named, held.source)
    place = _place(init, runs)
    if place.parent.resolve() == runs.resolve() and place.is_dir():
        init = place.name  # wherever the folder of runs is
    if model:
        return Beginning(model, init)
    if place.is_file():
        raise UsageError(f"--init {init}: of which network is it? type --model NAME too")
    if not (place / "run.json").is_file():
        raise UsageError(f"--init {init}: no such run or file; type --model NAME for one to come")
    run = Run.open(place)
    if run.record.get("members"):
        raise UsageError(f"--init {init} is several networks; name one of them")
    return Beginning(run.config["model"], init)


def _pretrained(model: str | None, init: str) -> str:
    made = build(Architecture, model or init)
    wanted = build(Architecture, init)
    if type(made) is not type(wanted) or getattr(made, "network", "") != getattr(
        wanted, "network", ""
    ):
        raise UsageError(f"--init {init} begins a training of {wanted}, not of {made}")
    made.pretrained = True  # type: ignore[attr-defined]
    return str(made)


def start_of(config: TrainConfig, where: Where) -> Start | None:
    """What the training of a config begins with; None: random weights, or the network's own.

    Raises:
        UsageError: weights of RobustBench's list, or of the hub, that are not here.
    """
    if not (name := config.init):
        return None
    if is_known(name):
        entry = find_entry(name)
        key = config.weights_key or entry.weights_key or None
        place = find_weights(entry, where.data)
        return Start(name, place, key, normalise=entry.normalise, trained_on=entry.data)
    if _of_hub(name):
        held = hub.fetch(name)
        normalise = held.told.normalise or ""
        return Start(name, held.weights, config.weights_key, normalise=normalise)
    return Start(name, _place(name, where.runs), config.weights_key)


def source(config: TrainConfig, runs: Path) -> tuple[Path, ...]:
    """The run that must be finished before; none where weights come out of a file."""
    if not config.init or is_known(config.init) or _of_hub(config.init):
        return ()
    place = _place(config.init, runs)
    return () if place.is_file() else (place,)


def _of_hub(init: str) -> bool:
    return init.startswith(hub.PREFIX) and is_foreign(init)


def _place(init: str, runs: Path) -> Path:
    place = named_run(init, runs)
    whole = place.name in _OWN and (place.parent / _OWN[0]).is_file()
    return place.parent if whole else place
