"""Weights to begin a training with: all of another network's, perhaps without its head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from robustbench_cli.errors import RunError

from .fitting import Match, compare, fit, normalisation_of
from .model import Model

State = Mapping[str, Tensor]
_SHOWN = 4  # names of tensors in a message


class Begun(NamedTuple):
    """How the weights were matched, as a sentence, and the tensors that stayed new."""

    how: str
    new: tuple[str, ...]


def begin(model: Model, state: State) -> Begun:
    """Copy `state` into ``model.network``, and its normalisation, if it has one, into the model.

    A head that is another one (for other classes, or made by a method) stays new; everything else
    must fit.

    Raises:
        RunError: it does not; names the tensors.
    """
    if isinstance(compare(state, model.network), Match):
        return Begun(fit(model, state), ())
    prefix = "network." if normalisation_of(state, model.network) else ""
    given = {name.removeprefix(prefix): value for name, value in state.items()}
    own, head = model.network.state_dict(), model.head_name
    new = {name: value for name, value in own.items() if _below(head, name)}
    body = {name: value for name, value in given.items() if not _below(head, name)}
    whole = {
        prefix * (not name.startswith("normalise.")) + name: value
        for name, value in (body | new).items()
    }
    if not new or not isinstance(compare(whole, model.network), Match):
        raise RunError(f"does not fit {model.architecture}: {_differences(given, own, head)}")
    fit(model, whole)
    kept, classes = len(own.keys() & body.keys()), next(iter(new.values())).shape[0]
    return Begun(
        f"{kept} tensors by name; a new head for {classes} classes ({', '.join(new)})", tuple(new)
    )


def _below(module: str, name: str) -> bool:
    return bool(module) and name.startswith(f"{module}.")


def _differences(given: State, own: State, head: str) -> str:
    """Which tensors, by name; a head of other sizes is no reason."""
    named = {"missing": _rest(own, given, head), "unexpected": _rest(given, own, head)}
    named["of another shape"] = [
        f"{name} ({_size(given[name])}, here {_size(own[name])})"
        for name in own
        if name in given and given[name].shape != own[name].shape and not _below(head, name)
    ]
    return "; ".join(f"{word}: {_few(names)}" for word, names in named.items() if names)


def _rest(these: State, others: State, head: str) -> list[str]:
    aside = ("num_batches_tracked", "normalise.mean", "normalise.std")
    return [
        name
        for name in these
        if name not in others and not _below(head, name) and not name.endswith(aside)
    ]


def _few(names: Sequence[str]) -> str:
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
