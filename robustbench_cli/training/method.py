"""The contract of a method: what a paper changes, as optional hooks around a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.models.model import Model
from robustbench_cli.spec import Plugin

from .batch import Batch, Outcome

Step = Callable[[Model, Batch], Outcome]
Predict = Callable[[Model, Tensor], Tensor]


@dataclass(kw_only=True)
class Method(Plugin):
    """One robustness method. Override what the paper changes; the rest passes through.

    Parameters are scalar fields. A field with ``init=False`` is state that a resumed training
    needs: tensors, numbers, or dicts of them.
    """

    room: ClassVar[str] = "methods"
    innermost: ClassVar[bool] = False  # reads the last forward
    compares: ClassVar[bool] = False  # needs two calls of `rest` to see the same sample
    resamples: ClassVar[bool] = False  # draws anew in each call
    finishes: ClassVar[bool] = False  # needs the network as all other methods leave it
    swaps: ClassVar[bool] = False  # deploys other weights than it trains
    own_loss: ClassVar[bool] = False  # a loss of the labels beside that of `rest`
    replaces: ClassVar[str | None] = None  # the part of the model only one method may take over

    lacks = ""  # no annotation: neither parameter nor state

    @property
    def steps_per_batch(self) -> int:
        """Optimiser steps on each batch (more than one in free adversarial training)."""
        return 1

    def adapt(self, dataset: Dataset) -> None:
        """Fill parameters left at ``none`` with what is usual for the data set."""

    def install(self, model: Model) -> None:
        """Change the architecture, once, before training *and* before loading weights."""

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        """Around the training objective: call `rest` zero, one or many times.

        Whatever counts as training goes through `rest`; only probing may call `model`.
        """
        return rest(model, batch)

    def targets(self, logits: Tensor, y: Tensor) -> Tensor:
        """Labels that depend on the prediction; (N, classes) both."""
        return y

    def end_epoch(self, model: Model) -> dict[str, float]:
        """After an epoch; what it returns becomes columns of history.csv."""
        return {}

    def deploy(self, model: Model) -> None:
        """Undo surgery that serves training only: what is attacked is what would ship.

        Must leave the outputs in eval mode as they are, unless it `swaps`.
        """

    def prepare(self, train: Images) -> None:
        """Before the first prediction: what a defence at test time keeps of the training images.

        They are those that the run was trained on, on the device of the network.
        """

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        """Around inference, for defences that act at test time."""
        return rest(model, x)

    def state(self) -> dict[str, Any]:
        """What a resumed training must know beside the weights."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.init}

    def load_state(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def needs(self, found: object, what: str) -> None:
        """Note that the network lacks what this method works on; the rest of it still trains.

        Training says so, once; an evaluation, which installs methods too, does not.
        """
        self.lacks = "" if found else what


def overrides(method: Method, hook: str) -> bool:
    """Whether the method's class defines `hook` itself."""
    return getattr(type(method), hook) is not getattr(Method, hook)
