"""Every set of weights in a document: training scripts put them under any key, at any depth.

``{"model": ..., "ema": ...}`` holds two networks, and ``{"state_dict": [..., ...]}`` a cascade;
which of them is meant only the user knows; so do networks in one set, told apart by prefixes.
What an optimiser keeps is no set of weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]

DEPTH = 8
_WORDS = 3
_KEPT = {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg"}
_KEPT |= {"grad_avg", "acc_delta", "sum", "exp_inf", "eta", "mu", "ax", "prev", "step_size"}
"""What PyTorch's optimisers call their tensors."""


def find_sets(document: Any) -> dict[str, State]:
    """By place, as ``ema`` or ``state_dict.1``, what may be the weights of a whole network.

    Those with a matrix; where there are none, those with any tensor. Sets that are equal to the
    last bit count once.
    """
    found = dict(_sets(document, "", DEPTH))
    if whole := {key: s for key, s in found.items() if any(v.dim() > 1 for v in s.values())}:
        found = whole
    kept: dict[str, State] = {}
    for key, state in found.items():
        if not any(_equal(state, other) for other in kept.values()):
            kept[key] = state
    return kept


def prefixed(found: Mapping[str, State]) -> dict[str, State]:
    """What may be networks side by side in one set: ``student.0.weight``, ``teacher.0.weight``.

    By place and prefix, what has two matrices or more; prefixes of three words at most.
    """
    parts: dict[str, State] = {}
    for place, state in found.items():
        for key, part in _by_prefix(state, _WORDS):
            parts[f"{place}.{key}".lstrip(".")] = part
    return parts


def _by_prefix(state: State, levels: int) -> Iterator[tuple[str, State]]:
    groups: dict[str, State] = {}
    for name, value in state.items():
        first, dot, rest = name.partition(".")
        if dot:
            groups.setdefault(first, {})[rest] = value
    for first, inner in groups.items() if levels else ():
        if sum(value.dim() > 1 for value in inner.values()) > 1:
            yield first, inner
            yield from ((f"{first}.{key}", part) for key, part in _by_prefix(inner, levels - 1))


def _sets(document: Any, place: str, levels: int) -> Iterator[tuple[str, State]]:
    if isinstance(document, Mapping):
        own = {k: v for k, v in document.items() if isinstance(k, str) and isinstance(v, Tensor)}
        if own and not own.keys() <= _KEPT:
            yield place, own
        inner = [(str(k), v) for k, v in document.items()]
    elif isinstance(document, (list, tuple)):
        inner = [(str(k), v) for k, v in enumerate(document)]
    else:
        return
    for key, value in inner if levels else ():
        yield from _sets(value, f"{place}.{key}".lstrip("."), levels - 1)


def _equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        v.shape == other[k].shape
        and v.layout is other[k].layout is torch.strided
        and v.is_quantized == other[k].is_quantized
        and v.untyped_storage().nbytes() >= v.numel() * v.element_size()  # not only claimed
        and torch.equal(v, other[k])
        for k, v in one.items()
    )
