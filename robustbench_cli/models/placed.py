"""The weights of one file in every network that they may belong to, made when it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from torch import Tensor

from robustbench_cli.data.dataset import Data

from .fitting import fit, normalisation_of
from .model import Architecture, Model, Normalise, make
from .normalisation import Statistics
from .readings import Reading

_KEPT = 4
"""Networks in memory at once: there may be hundreds of small ones, or two large ones."""


class _Made(NamedTuple):
    model: Model
    how: str
    carried: Statistics | None


class Placed:
    """Networks with the weights of `state`, on the device of the data, in eval mode."""

    def __init__(self, state: Mapping[str, Tensor], data: Data) -> None:
        self.state = state
        self._shape, self._classes = data.train.shape, len(data.classes)
        self._device = data.train.device
        self._known: dict[str, Architecture] = {}
        self._make = lru_cache(_KEPT)(self._make_anew)

    def __call__(self, reading: Reading) -> Model:
        """The network of a reading behind its normalisation, which the next call may change.

        Raises:
            RunError: the weights do not fit.
        """
        model = self._of(reading.architecture).model
        model.normalise = Normalise(*reading.statistics)
        return model.to(self._device).eval()

    def how(self, architecture: Architecture) -> str:
        """How names were matched, as a sentence."""
        return self._of(architecture).how

    def carried(self, architecture: Architecture) -> Statistics | None:
        """The normalisation that lies in the file, beside the weights of this network."""
        return self._of(architecture).carried

    def _of(self, architecture: Architecture) -> _Made:
        self._known[str(architecture)] = architecture
        return self._make(str(architecture))

    def _make_anew(self, spec: str) -> _Made:
        architecture = self._known[spec]
        model = make(architecture, self._shape, self._classes)
        state = architecture.renamed(self.state, model.network)
        how = fit(model, state)
        inside = None
        if normalisation_of(state, model.network) is not None:
            inside = model.normalise.mean.flatten().tolist(), model.normalise.std.flatten().tolist()
        return _Made(model, how, inside)
