"""Put foreign weights into a network: by their names, or by their order and shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from robustbench_cli.errors import RunError

from .checkpoint import strip
from .model import Model, Normalise

State = Mapping[str, Tensor]

IDLE = "sub_block1."
"""Weights that the wide residual networks of TRADES and its followers carry, and never use."""


class Mismatch(NamedTuple):
    """Why weights do not fit: the first disagreement, as a sentence."""

    reason: str
    name: str = ""  # of the entry of the network, where shapes disagree
    there: torch.Size | None = None  # its shape in the file
    here: torch.Size | None = None  # and in the network


class Match(NamedTuple):
    """Which entry of the file belongs to which entry of the network."""

    pairs: dict[str, str]  # name in the network -> name in the file
    how: str


def fit(model: Model, state: State) -> str:
    """Copy `state` into ``model.network``, and its normalisation, if it has one, into the model.

    Returns a sentence that says how the names were matched.

    Raises:
        RunError: another architecture; names the first disagreement.
    """
    match = compare(state, model.network)
    if isinstance(match, Mismatch):
        raise RunError(
            f"the weights do not fit this network: {match.reason}; {_remedy(match, model)}"
        )
    expected = model.network.state_dict()
    chosen = {
        name: state[given].reshape(expected[name].shape) for name, given in match.pairs.items()
    }
    carried = normalisation_of(state, model.network)
    if carried is not None:
        _normalise(model, *carried)
    model.network.load_state_dict(expected | chosen)
    return match.how + ("" if carried is None else "; normalisation from there, too")


def normalisation_of(
    state: State, network: nn.Module
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and std that a file carries beside the weights of `network`, or None.

    They are a pair of neighbours called ``mean`` and ``std``, or ``mu`` and ``sigma``.
    """
    own = strip(network.state_dict())
    for mean, std in _pairs(state):
        if mean not in own:
            first, second = (state[name].flatten().tolist() for name in (mean, std))
            return tuple(first), tuple(second)
    return None


def weights_alone(state: State) -> dict[str, Tensor]:
    """Without a normalisation that lies beside them, and without the counters of batch norms."""
    aside = {name for pair in _pairs(state) for name in pair}
    return {name: value for name, value in state.items() if _counts(name) and name not in aside}


def compare(state: State, network: nn.Module) -> Match | Mismatch:
    """Match by name where all names agree, otherwise by order where all shapes and kinds agree.

    Only shapes are read: `network` may lie on the meta device.
    """
    expected = {k: v for k, v in network.state_dict().items() if _counts(k)}
    own = strip({name: name for name in expected})  # the short name -> the whole one
    aside = {name for pair in _pairs(state) if pair[0] not in own for name in pair}
    given = {k: v for k, v in state.items() if _counts(k) and k not in aside}
    if not any(name.startswith(IDLE) for name in own):
        given = {k: v for k, v in given.items() if not k.startswith(IDLE)}
    named = {k.removeprefix("network.") if "normalise.mean" in aside else k: k for k in given}
    if named.keys() == own.keys():
        pairs = {name: named[short] for short, name in own.items()}
        for name, entry in pairs.items():
            if not _alike(given[entry], expected[name]):
                return _differ(entry, given[entry], name, expected[name])
        return Match(pairs, f"matched {len(pairs)} tensors by name")
    return _in_order(given, expected)


def _in_order(given: State, expected: State) -> Match | Mismatch:
    for (entry, there), (name, here) in zip(given.items(), expected.items(), strict=False):
        if _leaf(entry) != _leaf(name) or not _alike(there, here):
            found = _differ(entry, there, name, here)
            if len(given) == len(expected):
                return found
            sizes = f"the file has {len(given)} tensors, the network {len(expected)}"
            return Mismatch(f"{sizes}; {found.reason}")  # not only classes or channels differ
    if len(given) != len(expected):
        rest = [*given][len(expected) :] or [*expected][len(given) :]
        where = "network" if len(expected) > len(given) else "file"
        return Mismatch(
            f"the file has {len(given)} tensors, the network {len(expected)}; "
            f"{rest[0]} is only in the {where}"
        )
    pairs = dict(zip(expected, given, strict=True))
    return Match(pairs, f"matched {len(pairs)} tensors by order and shape; their names differ")


def _counts(name: str) -> bool:
    return _leaf(name) != "num_batches_tracked"


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


def _alike(there: Tensor, here: Tensor) -> bool:
    """The same shape; a convolution over a whole map and a linear layer are the same thing, too."""
    if there.shape == here.shape:
        return True
    if there.dim() < 2 or here.dim() < 2 or 2 not in (there.dim(), here.dim()):
        return False
    return there.flatten(1).shape == here.flatten(1).shape


def _differ(entry: str, there: Tensor, name: str, here: Tensor) -> Mismatch:
    reason = f"{entry} {_shape(there)} in the file, {name} {_shape(here)} in the network"
    return Mismatch(reason, name, there.shape, here.shape)


def _remedy(match: Mismatch, model: Model) -> str:
    """The data set is to blame where only the number of channels or of classes disagrees."""
    there, here = list(match.there or ()), list(match.here or ())
    apart = [i for i, (a, b) in enumerate(zip(there, here, strict=False)) if a != b]
    if len(there) == len(here):
        channels = model.normalise.mean.numel()
        if apart == [1] and len(here) == 4 and here[1] == channels:
            return f"it takes images of {there[1]} channels, and these have {here[1]}: check --data"
        if apart == [0] and match.name.startswith(f"{model.head_name}."):
            return f"it knows {there[0]} classes, and the data set has {here[0]}: check --data"
    return "name the right one: --model NAME (robustmix --list models)"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _pairs(state: State) -> Iterator[tuple[str, str]]:
    """Neighbours that are named like a mean and a standard deviation, one number per channel."""
    for first, second in (("mean", "std"), ("mu", "sigma")):
        for name, value in state.items():
            parent, dot, leaf = name.rpartition(".")
            other = f"{parent}{dot}{second}"
            if leaf == first and other in state and value.numel() == state[other].numel():
                yield name, other


def _normalise(model: Model, mean: Sequence[float], std: Sequence[float]) -> None:
    channels = model.normalise.mean.numel()
    if len(mean) not in (1, channels) or not all(s > 0 for s in std):
        raise RunError(
            f"the file normalises with mean {mean} and std {std}, which makes no sense for images "
            f"of {channels} channels; check --data"
        )
    repeat = channels // len(mean)
    device = model.normalise.mean.device
    model.normalise = Normalise([*mean] * repeat, [*std] * repeat).to(device)
