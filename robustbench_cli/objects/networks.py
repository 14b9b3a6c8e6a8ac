"""An `nn.Module`, a checkpoint file or a path -> a run, so that everything works on them alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.files import replacing, slug
from robustbench_cli.jobs import Where, load_data
from robustbench_cli.jobs.attack_config import test_part
from robustbench_cli.models.checkpoint import one_line
from robustbench_cli.models.fingerprint import fingerprint
from robustbench_cli.models.model import Architecture, Model
from robustbench_cli.models.normalisation import Statistics, usual, written
from robustbench_cli.models.session import keep, own_copy
from robustbench_cli.origins import Attacks, Said, open_named, parts
from robustbench_cli.runs.data_identity import refuse_others
from robustbench_cli.runs.given import is_foreign, is_known, kind
from robustbench_cli.runs.run import Run, create
from robustbench_cli.spec import allow_code, build, shorten

from .data import Labelled, data_spec, spec_or_images, store
from .kinds import DataLike, ModelLike, NetworkLike, NetworksLike
from .naming import name_of, remember
from .specs import spec_of

_TAKEN = (
    "a Run, the path of one or of a checkpoint file, robustbench:NAME, hf:OWNER/REPO, A+B of "
    "those, or a torch.nn.Module"
)
_NAMES = ("data", "model", "normalise", "weights_key")


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """What a network that is no run does not say of itself."""

    data: DataLike | None = None
    model: ModelLike | None = None
    normalise: str | None = None
    weights_key: str | None = None

    def refuse(self, who: str, what: str, names: Iterable[str]) -> None:
        """
        Raises:
            UsageError: one of these was given to something that has no use for it.
        """
        for name in names:
            if getattr(self, name) is not None:
                raise UsageError(f"{who}: {name} is not for {what}")

    def said(self, runs: Path, who: str) -> Said:
        """The same as text; arrays are written below `runs`, a network is kept in this session."""
        data = None if self.data is None else data_spec(self.data, runs, who, "test")
        if data is not None:
            build(Dataset, data)  # the user gave it, so it may name their own class
        model = None if self.model is None else model_spec(self.model, who)
        return Said(data=data, model=model, normalise=self.normalise, weights_key=self.weights_key)


def open_sides(
    sources: NetworksLike,
    targets: NetworksLike,
    foreign: Foreign,
    where: Where,
    who: str,
    attacks: Attacks | None = None,
) -> tuple[list[Run], list[Run]]:
    """Each as a run, in their order; `foreign` is about those that are none yet.

    Raises:
        UsageError: one is no network, they see other data, or `foreign` is about none of them.
    """
    sides = [_listed(sources, who), _listed(targets, who)]
    named = [each for side in sides for each in side]
    if all(_is_run(each) for each in named):
        foreign.refuse(who, "runs, which have their own", _NAMES)
    told = any(not _is_run(each) and not _is_known(each) for each in named)

    def about(each: NetworkLike) -> Foreign:
        if _is_run(each):
            return Foreign()
        return Foreign(data=foreign.data) if told and _is_known(each) else foreign

    opened, shown = (
        [open_network(each, about(each), where, who, attacks) for each in side] for side in sides
    )
    for run in (*opened, *shown):
        if run.config["data"] != (data := opened[0].config["data"]):
            raise UsageError(
                f"{who}: {run.name} is for {run.config['data']} and {opened[0].name} for {data}; "
                "expected networks for the same data"
            )
    return opened, shown


def _listed(given: NetworksLike, who: str) -> list[NetworkLike]:
    if isinstance(given, (Run, str, Path, nn.Module)):
        return [given]
    if isinstance(given, Iterable) and not isinstance(given, (bytes, dict)):
        return list(given)
    raise UsageError(f"{who} takes {_TAKEN}, or several; got {kind(given)}")


def _is_run(given: object) -> bool:
    if isinstance(given, (str, Path)):
        return all(not is_foreign(each) and Path(each).is_dir() for each in parts(str(given)))
    return isinstance(given, Run)


def _is_known(given: object) -> bool:
    return isinstance(given, (str, Path)) and is_known(given)


def open_network(
    given: NetworkLike, foreign: Foreign, where: Where, who: str, attacks: Attacks | None = None
) -> Run:
    """The run that it is, or becomes below ``where.runs``.

    `attacks`: how networks of a data set will be attacked, which decides what may be guessed.

    Raises:
        UsageError: no network, nothing of that name, or what is given beside it has no meaning.
        RunError: a folder without a run; or weights that fit nothing.
    """
    if isinstance(given, nn.Module):
        foreign.refuse(who, "an object, which is a network already", ["model", "weights_key"])
        return bring(given, foreign.data, where, who, normalise=foreign.normalise)
    if not isinstance(given, (Run, str, Path)):
        raise UsageError(f"{who} takes {_TAKEN}; got {kind(given)}")
    if _is_run(given):
        foreign.refuse(who, "a run, which has its own", _NAMES)
    if isinstance(given, Run):
        return given
    name = str(given)
    if parts(name) == (name,) and not is_foreign(name):
        if not Path(name).exists():
            expected = "expected a run's directory or a checkpoint file"
            raise UsageError(f"{name}: no such file or directory; {expected}")
        return Run.open(name)
    said = foreign.said(where.runs, who)
    if said.unneeded([name]):
        foreign.refuse(who, f"{name}, of which it is known", _NAMES[1:])
    return open_named(name, where, said, attacks or (lambda _: ()))[0]


def model_spec(given: ModelLike, who: str) -> str:
    """The text that stands for a network to be made; an object is remembered in this session.

    Raises:
        UsageError: none can be made of it.
    """
    if isinstance(given, nn.Module):
        return str(keep(given.network if isinstance(given, Model) else given))
    if isinstance(given, type) and issubclass(given, nn.Module):
        allow_code(given.__module__)
        return f"{given.__module__}:{given.__qualname__}"
    if not isinstance(given, (str, Architecture, type)):
        raise UsageError(
            f"{who} takes as model a spec as text, an Architecture, or a torch.nn.Module or its "
            f"class; got {kind(given)}"
        )
    return spec_of(given, Architecture, who)


def bring(
    network: nn.Module, data: DataLike | None, where: Where, who: str, *, normalise: str | None
) -> Run:
    """The run below ``where.runs`` that holds this network as it is now; made on the first call.

    It is shown pixels in [0, 1], normalised as `normalise` says, or as they are. A network that
    can be made again by name (a class with an import path, or one of this package) is kept under
    that name; of any other, the run can be attacked while this session lives.
    """
    if data is None:
        raise UsageError(f"{who}: on which images? give data=(x, y), or a data set: data='cifar10'")
    inside: Statistics | None = None
    made_of = ""
    if isinstance(network, Model):
        made_of = network.architecture
        inside = (
            network.normalise.mean.flatten().tolist(),
            network.normalise.std.flatten().tolist(),
        )
        network = network.network
    network, found = own_copy(network), spec_or_images(data, who, "test")
    if isinstance(found, Labelled):
        found = store(found, where.runs, who, _outputs(network, found.shape, who))
    dataset = build(Dataset, found)
    part = test_part(found, where.data, where.device)
    shape, mark = part.images.shape, fingerprint(network)
    if normalise or inside is None:
        inside = _statistics(normalise or "none", found, where, shape[0], who)
    config = {
        "data": str(dataset),
        "method": "plain",
        "checkpoint": f"{type(network).__name__}-{mark[:8]}",
        "checkpoint_digest": mark,
        "normalise": _way(inside),
    }
    facts = part.facts()
    ending = [config["normalise"]] if config["normalise"] != "none" else []
    path = where.runs / slug("-".join([dataset.short, config["checkpoint"], *ending]))
    if (path / "run.json").is_file():
        run = Run.open(path)
        if run.finished and {key: run.config.get(key) for key in config} == config:
            remedy = "bring those back, or choose another runs_dir"
            refuse_others(path, str(dataset), run.record.get("data") or {}, facts, remedy)
            remember(network, run.config["model"])
            return run
    spec = name_of(network, made_of, mark, shape, len(part.classes))
    with replacing(path / "model.safetensors") as beside:
        save_file(_tensors(Model(network, (), "", *inside), who), beside)
    return create(path, {**config, "model": spec}, status="done", data=facts)


def _outputs(network: nn.Module, shape: tuple[int, int, int], who: str) -> int:
    """How many classes the network tells apart."""
    try:
        with torch.no_grad():
            logits = network(torch.zeros(2, *shape))
    except Exception as e:  # somebody else's code: whatever it raises is the answer
        size = "x".join(map(str, shape))
        reason = f"{type(e).__name__}: {one_line(e)}"
        raise UsageError(f"{who}: the network cannot take {size} images: {reason}") from e
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else kind(logits)
        raise UsageError(
            f"{who}: of 2 images the network makes {got}, expected logits (2, classes)"
        )
    return logits.shape[1]


def _statistics(way: str, data: str, where: Where, channels: int, who: str) -> Statistics:
    known = usual([0.0] * channels, [1.0] * channels)
    if way == "data":
        loaded = load_data(data, where)
        known = usual(loaded.mean, loaded.std)
    if way not in known and ":" not in way:
        raise UsageError(
            f"{who}: no normalisation {way!r}; expected {', '.join(known)}, or numbers as people "
            "write them: 0.1307:0.3081"
        )
    return known[way] if way in known else written(way, channels)


def _way(statistics: Statistics) -> str:
    """How such numbers are called, or the numbers."""
    mean, std = ([*map(float, numbers)] for numbers in statistics)
    for name, (m, s) in usual([2.0] * len(mean), [1.0] * len(mean)).items():
        if name != "data" and np.allclose([*m, *s], [*mean, *std], rtol=0, atol=1e-6):
            return name
    return ":".join(",".join(map(shorten, numbers)) for numbers in (mean, std))


def _tensors(network: nn.Module, who: str) -> dict[str, Tensor]:
    state = network.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor) or value.layout is not torch.strided:
            raise UsageError(f"{who}: {name} of the network is no dense tensor; save plain ones")
    return {name: value.detach().clone().contiguous() for name, value in state.items()}
