"""By which name can a network be made again? One that has none lives in this session."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import torch
from torch import nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.fingerprint import fingerprint
from robustbench_cli.models.infer import candidates
from robustbench_cli.models.model import Architecture
from robustbench_cli.models.own import OwnNetwork, open_architecture
from robustbench_cli.models.session import PREFIX, keep, own_copy
from robustbench_cli.spec import allow_code

_log = logging.getLogger(__name__)


def name_of(
    network: nn.Module, made_of: str, mark: str, shape: tuple[int, int, int], classes: int
) -> str:
    """A name by which the network can be made again; or its name in this session, and a warning."""
    cls = type(network)
    ways: list[Architecture] = []
    if made_of:
        ways.append(open_architecture(made_of))
    elif cls.__module__.startswith("torchvision."):
        ways += _alike(network, shape, classes)
    elif cls.__module__ != "__main__" and cls.__qualname__.isidentifier():
        ways.append(OwnNetwork(path=f"{cls.__module__}:{cls.__qualname__}", maker=cls))
    for way in ways:
        if _makes(way, network, mark, shape, classes):
            _vouch(network, str(way))
            return str(way)
    spec = str(keep(network))
    _log.warning(
        "%s cannot be made again by name: its results stay, but more can be computed only in this "
        "session, or in one that brings the same object",
        spec.removeprefix(PREFIX),
    )
    return spec


def _alike(network: nn.Module, shape: tuple[int, int, int], classes: int) -> Iterator[Architecture]:
    """Those of torchvision with the same names and shapes; nothing is allocated."""
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    for candidate in candidates():
        if candidate.name != "torchvision":
            continue
        try:
            with torch.device("meta"):
                outline = candidate.build(shape, classes)
        except UsageError:  # not for images of this size
            continue
        if {name: value.shape for name, value in outline.state_dict().items()} == wanted:
            yield candidate


def _makes(
    way: Architecture, network: nn.Module, mark: str, shape: tuple[int, int, int], classes: int
) -> bool:
    """Whether exactly this network comes of it, once it has the same weights."""
    try:
        with torch.random.fork_rng(devices=[]):
            made = way.build(shape, classes)
        made.load_state_dict(network.state_dict())
        return fingerprint(own_copy(made)) == mark
    except Exception:  # a class that needs arguments, or other weights: it is another network
        return False


def remember(network: nn.Module, spec: str) -> None:
    """So that a run of an earlier session can make its network again."""
    if spec.startswith(PREFIX):
        keep(network)
    _vouch(network, spec)


def _vouch(network: nn.Module, spec: str) -> None:
    """Who gives an object of a class trusts the module that it is from."""
    if spec.startswith(f"{type(network).__module__}:"):
        allow_code(type(network).__module__)
